"""The stretch of time a list of v2 is of: `since` and `until`, and where its cursor goes on."""

from __future__ import annotations

import datetime as dt

from api.lists import Asked
from api.queries import Instant, QueryReader
from api.routes import Parameter
from streams.core.searches import Stretch

TIMES = (
    Parameter("since", "Not before this.", Instant, example="2026-03-01T00:00:00Z"),
    Parameter("until", "Before this.", Instant, example="2026-04-01T00:00:00Z"),
)
SHORT_PAGES = (
    "A page may hold fewer rows than `limit`, even none, while `next` is there: what one page looks at is bounded."
)

Times = tuple[dt.datetime | None, dt.datetime | None]


def read_times(reader: QueryReader) -> Times:
    """What is wrong with them is the reader's to tell."""
    since, until = reader.instant("since"), reader.instant("until")
    if since and until and since > until:
        reader.refuse("since must not lie after until", "since")
    return since, until


def stretch_of(asked: Asked, times: Times) -> Stretch:
    since, until = times
    return Stretch(limit=asked.limit, since=since, until=until, after=asked.after, descending=asked.sort.descending)
