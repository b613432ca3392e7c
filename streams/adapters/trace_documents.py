"""What is known of one event as a JSON document: what `mutt trace` and the API say."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Mapping
from typing import Any

from schemas.errors import Refused
from schemas.events import event_id, parse_event_id
from streams.adapters.traces import Trace
from streams.core.letter_documents import bytes_json, letter_json, text_or_none, time_text
from streams.core.letters import LetterRecord

EventPlace = tuple[str, int, int]
SourceRecord = tuple[int, LetterRecord] | str
"""The record with its broker time (ms), or why it cannot be had."""

_EMBEDDED = ("payload", "body", "filter")


def is_known(found: Trace) -> bool:
    """Whether the tables hold anything of the event."""
    return bool(found.audit or found.alerts or found.letters or found.ledger)


def verdict_on(place: EventPlace, found: Trace) -> str:
    """One sentence: what became of the event, as far as the tables say."""
    if found.audit:
        return str(found.audit[-1]["disposition"])
    if any(stored.letter.stage != "deliver" for stored in found.letters):
        return "dead letter"
    if found.ledger:
        row = found.ledger[-1]
        return (
            f"processed, but only counted: ledger row [{row['first_offset']}, {row['next_offset']})"
            f" of epoch {row['epoch']}, minute {time_text(row['minute'])}"
        )
    if found.progress is None:
        return "its partition was never read"
    stands = found.progress["next_offset"]
    if place[2] >= stands:
        halted = f"; the partition is halted: {found.progress['halted_reason']}" if found.progress["halted_at"] else ""
        return f"not processed yet: the partition stands at {stands}{halted}"
    return "below the first offset that mutt read"


def trace_json(place: EventPlace, found: Trace, record: SourceRecord, verdict: str) -> dict[str, Any]:
    return {
        "event_id": event_id(*place),
        "verdict": verdict,
        "record": _record_json(record),
        "progress": _row_json(found.progress) if found.progress else None,
        "ledger": [_row_json(row) for row in found.ledger],
        "audit": [_row_json(row) for row in found.audit],
        "rules": [_row_json(row) for row in found.rules],
        "alerts": [_row_json(row) for row in found.alerts],
        "dead_letters": [letter_json(stored) for stored in found.letters],
        "replays": [_row_json(row) for row in found.replays],
        "replayed_as": [_row_json(row) for row in found.replayed_as],
    }


def _record_json(record: SourceRecord) -> dict[str, Any]:
    if isinstance(record, str):
        return {"in_kafka": False, "why": record}
    timestamp, (key, value, headers) = record
    return {
        "in_kafka": True,
        "timestamp": timestamp,
        "key": bytes_json(key),
        "value": bytes_json(value),
        "headers": [[bytes_json(name), bytes_json(data)] for name, data in headers],
    }


def _row_json(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _value_json(name, value) for name, value in row.items()}


def _value_json(name: str, value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return time_text(value)
    if isinstance(value, bytes):
        return bytes_json(value) if name == "raw" else value.hex()
    if name in _EMBEDDED and isinstance(value, str):
        return json.loads(value)
    return value if value is None or isinstance(value, (str, int, float, bool, list)) else text_or_none(value)


def wanted_event(text: str) -> EventPlace | uuid.UUID:
    """The event that a text names by its id, or by that of its alert. Raises Refused."""
    try:
        return uuid.UUID(text)
    except ValueError:
        pass
    try:
        topic, partition, offset = parse_event_id(text)
    except ValueError as error:
        raise Refused(f"{error}; or give the id of an alert") from None
    if partition >= 2**31 or offset >= 2**63:
        raise Refused(f"{text!r} is no event id: partition or offset is out of bounds")
    return topic, partition, offset
