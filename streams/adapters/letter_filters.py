"""The SQL that all statements over dead letters share: columns, filter, the order of replay."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from schemas.dead_letters import LetterState
from schemas.rows import EPOCH, instant, plain_uuid, row_letter
from streams.core.replay import LetterFilter, StoredLetter

FACTS = """
    d.id, d.reason, d.detail, d.topic, d.partition, d."offset", d.broker_time, d.hostname, d.rule_id, d.alert_id,
    d.state, d.attempts, d.replays, d.replay_id, d.first_failed_at, d.last_failed_at, d.replayed_at, d.published_at,
    d.parked_at, d.edits, d.replay_of, octet_length(d.value) AS value_size, a.id IS NOT NULL AS has_alert"""
"""All that is said of a letter but for its bytes."""
WHOLE = FACTS + ", d.key, d.value, d.edited_value, d.header_names, d.header_values"
FROM = "FROM dead_letters d LEFT JOIN alerts a ON a.id = d.alert_id"
MATCHES = """
    (cardinality($1::text[]) = 0 OR d.reason = ANY($1)) AND (cardinality($2::text[]) = 0 OR d.stage = ANY($2))
    AND (cardinality($3::text[]) = 0 OR d.hostname = ANY($3)) AND (cardinality($4::text[]) = 0 OR d.topic = ANY($4))
    AND (cardinality($5::uuid[]) = 0 OR d.id = ANY($5)) AND (cardinality($6::text[]) = 0 OR d.state = ANY($6))
    AND ($7::timestamptz IS NULL OR d.first_failed_at >= $7) AND ($8::timestamptz IS NULL OR d.first_failed_at < $8)"""
"""The filter, on the values of `filter_values` as $1 to $8."""
ORDER = '(d.topic, d.partition, d.broker_time, d."offset", d.id)'
BY_ORIGIN = 'ORDER BY d.topic, d.partition, d.broker_time, d."offset", d.id'
START = ("", -1, EPOCH, -1, uuid.UUID(int=0))

Place = tuple[str, int, dt.datetime, int, uuid.UUID]
"""Where a letter stands in the order of replay: of its origin, so that records of one key stay in order."""


def filter_values(chosen: LetterFilter) -> tuple[Any, ...]:
    return (
        [reason.value for reason in chosen.reasons],
        [stage.value for stage in chosen.stages],
        list(chosen.hosts),
        list(chosen.topics),
        list(chosen.ids),
        [state.value for state in chosen.states],
        chosen.since,
        chosen.until,
    )


def place(stored: StoredLetter) -> Place:
    letter = stored.letter
    return letter.topic, letter.partition, instant(letter.timestamp), letter.offset, letter.id


def stored_letter(row: Any) -> StoredLetter:
    """The letter of a row of FACTS or WHOLE."""
    return StoredLetter(
        letter=row_letter(row),
        state=LetterState(row["state"]),
        replay_id=row["replay_id"] and plain_uuid(row["replay_id"]),
        replayed_at=row["replayed_at"],
        published_at=row["published_at"],
        parked_at=row["parked_at"],
        has_alert=row["has_alert"],
        value_size=row["value_size"],
        edits=row["edits"],
        edited_value=row["edited_value"] if "edited_value" in row.keys() else None,  # noqa: SIM118 - iterates over values
        replay_of=row["replay_of"] and plain_uuid(row["replay_of"]),
    )
