"""Cursors: what is sealed opens for the same query until it expires; anything else is refused with 400."""

from __future__ import annotations

import datetime as dt

from api.cursors import opened, sealed
from api.problem_types import ProblemType
from api.problems import Problem
from streams.core.paging import Place
from tests.fuzz.targets.reader import Reader

KEY = b"key of the cursors"
NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
UNTIL = NOW + dt.timedelta(hours=1)
LONGEST = 2048
"""Characters of a place that still has a cursor that is looked at."""


def check(data: bytes) -> None:
    reader = Reader(data)
    query, other = reader.short(), reader.short()
    place: Place = [reader.text() if reader.number() % 2 else int.from_bytes(reader.bytes(7), "big")]
    if len(str(place[0]).encode()) > LONGEST:
        return
    cursor = sealed(KEY, query, place, until=UNTIL)
    assert opened([KEY], query, cursor, now=NOW) == place
    assert cursor.isascii()
    assert cursor.replace("-", "").replace("_", "").isalnum()
    if other != query:
        _is_refused(cursor, other, NOW)
    _is_refused(cursor, query, UNTIL)
    at = reader.number() * 251 % len(cursor)
    for char in (chr(reader.number()), "A", "=", "\ud800", ""):
        altered = cursor[:at] + char + cursor[at + 1 :]
        if altered != cursor:
            _is_refused(altered, query, NOW)
    made_up = reader.rest().decode("utf-8", "surrogateescape")
    for text in (made_up, cursor + made_up, made_up + cursor):
        if text != cursor:
            _is_refused(text, query, NOW)


def _is_refused(text: str, query: bytes, now: dt.datetime) -> None:
    found: object
    try:
        found = opened([KEY], query, text, now=now)
    except Problem as problem:
        found = problem.type
    assert found is ProblemType.CURSOR, f"{text!r} opened as {found!r}"
