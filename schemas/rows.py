"""Columns of the tables a batch is copied into, in the order in which rows are built."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable
from typing import Any, Protocol

from schemas.dead_letters import DeadLetter, LetterState, Reason

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)

NUL_SHOWN = "\u2400"
"""What stands for a NUL character in text columns; the raw bytes keep the NUL itself."""

Row = tuple[Any, ...]


class StoredRow(Protocol):
    """A row as a driver gives it back: columns by name."""

    def keys(self) -> Iterable[str]: ...

    def __getitem__(self, column: str, /) -> Any: ...


AUDIT = (
    "topic", "partition", "offset", "broker_time", "event_time", "hostname", "source", "syslog_severity",
    "disposition", "rule_id", "rule_version", "ruleset_version", "handling", "team", "alert_id", "replay_of",
    "correlation_id", "trap_oid", "message", "flags", "raw", "raw_sha256",
)  # fmt: skip
ALERTS = (
    "id", "kind", "topic", "partition", "offset", "broker_time", "hostname", "severity", "rule_id", "rule_version",
    "team", "handling", "payload",
)  # fmt: skip
DEAD_LETTERS = (
    "id", "stage", "reason", "detail", "topic", "partition", "offset", "broker_time", "key", "value",
    "header_names", "header_values", "hostname", "rule_id", "alert_id", "state", "attempts", "replays",
    "first_failed_at", "last_failed_at",
)  # fmt: skip


def instant(milliseconds: int) -> dt.datetime:
    """Broker time as PostgreSQL takes it."""
    return EPOCH + dt.timedelta(milliseconds=milliseconds)


def milliseconds(moment: dt.datetime) -> int:
    """The way back of `instant`."""
    return (moment - EPOCH) // dt.timedelta(milliseconds=1)


def letter_row(letter: DeadLetter) -> Row:
    """A new dead letter as a row of `dead_letters`, in the order of DEAD_LETTERS."""
    return (
        letter.id, letter.stage.value, letter.reason.value, _text(letter.detail), letter.topic, letter.partition,
        letter.offset, instant(letter.timestamp), letter.key, letter.value, [name for name, _ in letter.headers],
        [value for _, value in letter.headers], None if letter.hostname is None else _text(letter.hostname),
        letter.rule_id, letter.alert_id, LetterState.OPEN.value, letter.attempts, letter.replays,
        letter.first_failed_at, letter.last_failed_at,
    )  # fmt: skip


def row_letter(row: StoredRow) -> DeadLetter:
    """The letter of a row of `dead_letters`, without key, value and headers where they were not read."""
    whole = "key" in row.keys()  # noqa: SIM118 - a driver's record iterates over its values
    return DeadLetter(
        id=plain_uuid(row["id"]),
        reason=Reason(row["reason"]),
        detail=row["detail"],
        topic=row["topic"],
        partition=row["partition"],
        offset=row["offset"],
        timestamp=milliseconds(row["broker_time"]),
        key=row["key"] if whole else None,
        value=row["value"] if whole else None,
        headers=tuple(zip(row["header_names"], row["header_values"], strict=True)) if whole else (),
        hostname=row["hostname"],
        rule_id=row["rule_id"],
        alert_id=row["alert_id"] and plain_uuid(row["alert_id"]),
        attempts=row["attempts"],
        first_failed_at=row["first_failed_at"],
        last_failed_at=row["last_failed_at"],
        replays=row["replays"],
    )


def plain_uuid(value: uuid.UUID) -> uuid.UUID:
    """The same id without the driver's own subclass, which encoders refuse."""
    return uuid.UUID(int=value.int)


def _text(text: str) -> str:
    """Text that PostgreSQL takes: NUL visible, no lone surrogates."""
    return text.replace("\0", NUL_SHOWN).encode("utf-8", "backslashreplace").decode()
