"""Records of topics as they come, from all partitions, outside of any group."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import orjson
from aiokafka import TopicPartition

from schemas.events import event_id
from streams.adapters.offsets import log_bounds, partitions_of, reader
from streams.core.letter_documents import time_text

SHOWN = 200
"""Characters of a value that is no alert."""


async def records(bootstrap: str, topics: Sequence[str], last: int) -> AsyncIterator[Mapping[str, Any]]:
    """The last ones that are there, ordered by time, then what comes; without end. Raises aiokafka's errors."""
    bounds = await log_bounds(bootstrap, await partitions_of(bootstrap, set(topics)))
    ends = {TopicPartition(*place): log.end for place, log in bounds.items()}
    async with reader(bootstrap) as consumer:
        consumer.assign(list(ends))
        for place, log in bounds.items():
            consumer.seek(TopicPartition(*place), max(log.begin, log.end - last))
        for record in await _there(consumer, ends, last):
            yield _row(record)
        async for record in consumer:
            yield _row(record)


async def _there(consumer: Any, ends: Mapping[TopicPartition, int], last: int) -> list[Any]:
    """The last records before the ends; where one of these is no longer there, those after it."""
    found: list[Any] = []
    while any([await consumer.position(place) < end for place, end in ends.items()]):
        for records in (await consumer.getmany(timeout_ms=200)).values():
            found += records
    found.sort(key=lambda record: record.timestamp)
    return found[-last:] if last else []


def _row(record: Any) -> dict[str, Any]:
    at = dt.datetime.fromtimestamp(record.timestamp / 1000, dt.UTC)
    row = {"at": time_text(at), "event": event_id(record.topic, record.partition, record.offset)}
    headers = {name.removeprefix("mutt.dlq."): text.decode("utf-8", "replace") for name, text in record.headers}
    told = _alert(record.value or b"") or {
        **{name: headers[name] for name in ("stage", "reason", "detail") if name in headers},
        "key": _text(record.key),
        "value": _text(record.value),
    }
    return row | told


def _alert(value: bytes) -> dict[str, Any] | None:
    """What an alert says of itself; None where it is none."""
    try:
        found = orjson.loads(value)
        rule = f"{found['rule_id']} version {found['rule_version']}" if found.get("rule_id") else None
        names = ("id", "event_id", "hostname", "severity", "team", "handling", "description")
        return {"alert" if name == "id" else name: found[name] for name in names} | {"rule": rule}
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return None


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "backslashreplace")[:SHOWN]
