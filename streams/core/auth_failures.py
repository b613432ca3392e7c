"""What is written down of failed authentications: added up by minute, so that a flood of them stays a few rows."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

from streams.core.api_keys import Failure

ROWS_A_MINUTE = 100
"""Rows with an address of their own that one process writes for one minute; the others stand together in `OTHERS`."""
OTHERS = "others"


@dataclass(frozen=True, slots=True)
class FailureRow:
    """How often one caller failed in one minute, for one reason. Never what was presented."""

    minute: dt.datetime
    address: str
    key_id: str
    """Empty where no such key is there."""
    reason: Failure
    failures: int
    first_at: dt.datetime
    last_at: dt.datetime


class FailureBook:
    """Adds failures up until they are taken away to be stored."""

    def __init__(self, rows_a_minute: int = ROWS_A_MINUTE) -> None:
        self._most = rows_a_minute
        self._rows: dict[tuple[dt.datetime, str, str, Failure], FailureRow] = {}
        self._named: set[tuple[str, str, Failure]] = set()
        self._minute: dt.datetime | None = None

    def add(self, address: str, key_id: str | None, reason: Failure, now: dt.datetime) -> None:
        minute = now.replace(second=0, microsecond=0)
        if minute != self._minute:
            self._minute, self._named = minute, set()
        name = (address, key_id or "", reason)
        if name not in self._named and len(self._named) >= self._most:
            name = (OTHERS, "", reason)
        else:
            self._named.add(name)
        row = self._rows.get((minute, *name)) or FailureRow(minute, *name, 0, now, now)
        self._rows[minute, *name] = replace(row, failures=row.failures + 1, last_at=now)

    def drain(self) -> tuple[FailureRow, ...]:
        """What is to be stored; it is forgotten here."""
        rows, self._rows = tuple(self._rows.values()), {}
        return rows

    def put_back(self, rows: tuple[FailureRow, ...]) -> None:
        """What could not be stored, to go with the next; beyond an hour's worth the oldest are given up."""
        kept = {(row.minute, row.address, row.key_id, row.reason): row for row in rows}
        for name, row in self._rows.items():
            old = kept.get(name)
            kept[name] = replace(row, failures=row.failures + old.failures, first_at=old.first_at) if old else row
        self._rows = dict(list(kept.items())[-self._most * 60 :])
