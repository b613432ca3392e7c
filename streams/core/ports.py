"""The seams between decisions and the outside: one Protocol per outside system."""

from __future__ import annotations

import datetime as dt
from typing import Protocol

from schemas.rules import RuleSet


class Clock(Protocol):
    """Time as an argument. `now` is wall-clock time in UTC; `monotonic` counts seconds and never goes back."""

    def now(self) -> dt.datetime: ...

    def monotonic(self) -> float: ...


class RuleSource(Protocol):
    """Where rules, hosts, teams and configuration come from, as one consistent snapshot.

    `load` waits for the database; raises StoreUnavailable when it cannot be reached. The caller retries.
    """

    async def load(self) -> RuleSet: ...

    async def version(self) -> int:
        """The current rule-set version, cheap to ask often."""
        ...
