"""Groups of dead letters by what they have in common: the cause behind many letters, with an example of each."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from streams.core.signatures import mask

_STATUS = re.compile(r"HTTP [1-9][0-9]{2}\b")


class GroupBy(StrEnum):
    """What letters are grouped by. Details are grouped by their template: without numbers, ids and host names."""

    REASON = "reason"
    STAGE = "stage"
    HOST = "host"
    TOPIC = "topic"
    RULE = "rule"
    DETAIL = "detail"


class Group(Struct, frozen=True, kw_only=True):
    """Letters that have a value in common; `value` is None for those that have none."""

    value: str | None
    letters: int
    states: dict[str, int]
    """Letters by state; together `letters`."""
    first_seen: dt.datetime
    """When the first of them failed for the first time."""
    last_seen: dt.datetime
    """When the last of them failed."""
    example: uuid.UUID
    """The letter that failed last."""

    def with_(self, other: Group) -> Group:
        """Both as one group, under this one's value."""
        states = {state: self.states.get(state, 0) + other.states.get(state, 0) for state in self.states | other.states}
        return replace(
            self,
            letters=self.letters + other.letters,
            states=states,
            first_seen=min(self.first_seen, other.first_seen),
            last_seen=max(self.last_seen, other.last_seen),
            example=(self if self.last_seen >= other.last_seen else other).example,
        )


def template(detail: str) -> str:
    """A detail without what differs between letters of one cause: numbers and ids are shown as `#`.

    The status of an answer stays: it is the cause.
    """
    status = _STATUS.match(detail)
    kept = status.end() if status else 0
    return detail[:kept] + mask(detail[kept:])


def merged(groups: Iterable[Group], by: GroupBy) -> list[Group]:
    """The groups with equal values made one, the largest first; details count as equal when their templates are."""
    found: dict[str | None, Group] = {}
    for group in groups:
        value = template(group.value) if by is GroupBy.DETAIL and group.value is not None else group.value
        known = found.get(value)
        found[value] = known.with_(group) if known else replace(group, value=value)
    return sorted(found.values(), key=lambda group: (-group.letters, group.value or ""))
