"""Roles: the keys a fuzz run asks with, and how its calls are shared out among roles and operations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from schemas.scopes import ALL_SCOPES, Scope

READS = frozenset(scope for scope in Scope if scope.endswith(":read"))
WRITES = tuple(scope for scope in Scope if scope not in READS)

ALLOWED, PUBLIC, FORBIDDEN = 6, 2, 1
"""How much of a run goes where a role may go, where everybody may, and where it is turned away."""


@dataclass(frozen=True, slots=True)
class Role:
    """A key by its scopes; without any scope there is no key."""

    name: str
    scopes: frozenset[Scope]

    def weight(self, needed: str | None) -> int:
        if needed is None:
            return PUBLIC
        return ALLOWED if needed in self.scopes else FORBIDDEN


ADMIN = Role("admin", ALL_SCOPES)
ROLES = (
    Role("none", frozenset()),
    Role("reader", READS),
    *(Role(scope.replace(":", "-"), frozenset({scope})) for scope in WRITES),
    ADMIN,
)


def shares(calls: int, weights: Iterable[int]) -> Iterator[int]:
    """`calls` in as many whole parts as there are weights. They sum up, and none is more than one beside its share."""
    weighed = list(weights)
    total, passed, given = sum(weighed), 0, 0
    for weight in weighed:
        passed += weight
        due = calls * passed // total
        yield due - given
        given = due
