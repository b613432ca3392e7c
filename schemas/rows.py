"""Columns of the tables a batch is copied into, in the order in which rows are built."""

from __future__ import annotations

import datetime as dt
from typing import Any

from schemas.dead_letters import DeadLetter

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)

NUL_SHOWN = "\u2400"
"""What stands for a NUL character in text columns; the raw bytes keep the NUL itself."""

Row = tuple[Any, ...]

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


def letter_row(letter: DeadLetter) -> Row:
    """A dead letter as a row of `dead_letters`, in the order of DEAD_LETTERS. NUL is shown: text columns refuse it."""
    return (
        letter.id, letter.stage.value, letter.reason.value, letter.detail.replace("\0", NUL_SHOWN), letter.topic,
        letter.partition, letter.offset, EPOCH + dt.timedelta(milliseconds=letter.timestamp), letter.key, letter.value,
        [name for name, _ in letter.headers], [value for _, value in letter.headers],
        letter.hostname and letter.hostname.replace("\0", NUL_SHOWN), letter.rule_id, letter.alert_id, "open",
        letter.attempts, letter.replays, letter.first_failed_at, letter.last_failed_at,
    )  # fmt: skip
