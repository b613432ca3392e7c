"""Which dead letters a request means: the filter of replays and of what is done by hand."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Annotated

from msgspec import Meta, Struct

from api.problems import Fault, Invalid
from api.queries import text_up_to
from schemas.dead_letters import LetterState, Reason, Stage
from streams.core.replay import LetterFilter

LONGEST_TEXT = 255
MOST_VALUES = 1000

Text = Annotated[str, text_up_to(LONGEST_TEXT)]


class LetterChoice(Struct, frozen=True, forbid_unknown_fields=True):
    """Which letters; what is not given does not restrict, but something must be. Times are of the first failure."""

    reasons: Annotated[list[Reason], Meta(max_length=MOST_VALUES)] = []
    stages: Annotated[list[Stage], Meta(max_length=MOST_VALUES)] = []
    hosts: Annotated[list[Text], Meta(max_length=MOST_VALUES)] = []
    topics: Annotated[list[Text], Meta(max_length=MOST_VALUES)] = []
    ids: Annotated[list[uuid.UUID], Meta(max_length=MOST_VALUES)] = []
    since: dt.datetime | None = None
    until: dt.datetime | None = None


def chosen_letters(choice: LetterChoice) -> LetterFilter:
    """Raises Invalid where it would mean every letter there is, or times do not fit."""
    faults = [
        Fault("must name its time zone", pointer=f"/filter/{name}")
        for name, moment in (("since", choice.since), ("until", choice.until))
        if moment is not None and moment.tzinfo is None
    ]
    if not faults and choice.since and choice.until and choice.since >= choice.until:
        faults.append(Fault("must lie before until", pointer="/filter/since"))
    chosen = LetterFilter(
        reasons=tuple(choice.reasons),
        stages=tuple(choice.stages),
        hosts=tuple(choice.hosts),
        topics=tuple(choice.topics),
        ids=tuple(choice.ids),
        states=(LetterState.OPEN,),
        since=choice.since,
        until=choice.until,
    )
    if chosen.is_empty:
        faults.append(Fault("must narrow the letters down", pointer="/filter"))
    if faults:
        raise Invalid(faults)
    return chosen
