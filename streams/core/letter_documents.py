"""Dead letters as JSON documents: what commands and the API say of one."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec

from schemas.dead_letters import FACTS
from streams.core.letter_verdict import Verdict
from streams.core.replay import StoredLetter


def letter_json(stored: StoredLetter, *, whole: bool = False) -> dict[str, Any]:
    """One letter; `whole` adds key, value and headers, as text where they are UTF-8, else as hex."""
    letter = stored.letter
    facts = FACTS[letter.reason]
    body: dict[str, Any] = {
        "id": str(letter.id),
        "reason": letter.reason.value,
        "stage": letter.stage.value,
        "state": stored.state.value,
        "detail": letter.detail,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "event_id": f"{letter.topic}:{letter.partition}:{letter.offset}",
        "timestamp": letter.timestamp,
        "hostname": letter.hostname,
        "rule_id": letter.rule_id,
        "alert_id": text_or_none(letter.alert_id),
        "attempts": letter.attempts,
        "replays": letter.replays,
        "replay_id": text_or_none(stored.replay_id),
        "first_failed_at": time_text(letter.first_failed_at),
        "last_failed_at": time_text(letter.last_failed_at),
        "replayed_at": time_text(stored.replayed_at),
        "parked_at": time_text(stored.parked_at),
        "replay_of": text_or_none(stored.replay_of),
        "edits": stored.edits,
        "published_at": time_text(stored.published_at),
        "value_size": stored.value_size,
        "replayable": facts.replayable.value,
        "means": facts.means,
        "who_fixes": facts.who_fixes,
    }
    if whole:
        body["key"] = bytes_json(letter.key)
        body["value"] = bytes_json(letter.value)
        body["edited_value"] = bytes_json(stored.edited_value)
        body["headers"] = [[bytes_json(name), bytes_json(value)] for name, value in letter.headers]
    return body


def bytes_json(data: bytes | None) -> dict[str, str] | None:
    """`{"text": …}` for UTF-8, `{"hex": …}` for other bytes, null for null."""
    if data is None:
        return None
    try:
        return {"text": data.decode()}
    except UnicodeDecodeError:
        return {"hex": data.hex()}


def time_text(instant: dt.datetime | None) -> str | None:
    return None if instant is None else instant.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")


def text_or_none(value: object) -> str | None:
    return None if value is None else str(value)


def verdict_json(verdict: Verdict | None) -> dict[str, Any] | None:
    """What the rules of now would decide; null where no topic of ours takes the record."""
    if verdict is None:
        return None
    return msgspec.to_builtins(verdict) | {"summary": verdict.summary}  # type: ignore[no-any-return]
