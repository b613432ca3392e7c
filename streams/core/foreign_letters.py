"""Dead letters that other tools put on `mutt.dlq`: Kafka Connect, Kafka Streams, share groups and Spring."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from schemas.dead_letters import DeadLetter, Headers, Reason
from schemas.events import Position, derived_id
from streams.core.letter_headers import (
    LATEST_MS,
    binary_number,
    clean_detail,
    offset_number,
    partition_number,
    read,
    topic_name,
)

Record = tuple[bytes | None, bytes | None, Headers]
"""Key, value and headers."""


@dataclass(frozen=True, slots=True)
class Family:
    """How one tool names the origin of its dead letters and what else it says of them, and how it writes numbers."""

    tool: str
    prefix: bytes
    """Of the names of topic, partition and offset."""
    messages: tuple[bytes, ...]
    """The first of these that is there says why."""
    facts: tuple[tuple[str, bytes], ...] = ()
    mark: bytes | None = None
    """Beginning of the names that only this tool uses, where that is not `prefix`."""
    partition: Callable[[bytes], int] = partition_number
    offset: Callable[[bytes], int] = offset_number

    def is_in(self, last: Mapping[bytes, bytes | None]) -> bool:
        return any(name.startswith(self.mark or self.prefix) for name in last)

    def has_origin(self, last: Mapping[bytes, bytes | None]) -> bool:
        return any(self.prefix + part in last for part in (b"topic", b"partition", b"offset"))

    def detail(self, last: Mapping[bytes, bytes | None]) -> str:
        """Who put it there, and why."""
        facts = [f"{name} {text}" for name, header in self.facts if (text := _first_text(last, (header,)))]
        message = _first_text(last, self.messages)
        return self.tool + (f" ({', '.join(facts)})" if facts else "") + (f": {message}" if message else "")


_FAMILIES = (
    Family(
        "Kafka Connect",
        b"__connect.errors.",
        messages=(b"__connect.errors.exception.message", b"__connect.errors.exception.class.name"),
        facts=(
            ("connector", b"__connect.errors.connector.name"),
            ("task", b"__connect.errors.task.id"),
            ("stage", b"__connect.errors.stage"),
        ),
    ),
    Family(
        "Kafka Streams", b"__streams.errors.", messages=(b"__streams.errors.message", b"__streams.errors.exception")
    ),
    Family(
        "share group",
        b"__dlq.errors.",
        messages=(b"__dlq.errors.message",),
        facts=(("group", b"__dlq.errors.group"), ("deliveries", b"__dlq.errors.delivery.count")),
    ),
    Family(
        "Spring",
        b"kafka_dlt-original-",
        mark=b"kafka_dlt-",
        messages=(b"kafka_dlt-exception-message", b"kafka_dlt-exception-fqcn"),
        facts=(("group", b"kafka_dlt-original-consumer-group"),),
        partition=binary_number(4, 2**31 - 1),
        offset=binary_number(8, 2**63 - 1),
    ),
)


def foreign_letter(
    position: Position, record: tuple[bytes | None, bytes | None, Headers], faults: tuple[str, ...] = ()
) -> DeadLetter:
    """A letter of another tool: of the families present the first that is well formed tells the origin.

    A tool that says nothing of the origin (Kafka Streams does not always know it) still says who and why.
    """
    key, value, headers = record
    last = dict(headers)
    origin, detail = (position.topic, position.partition, position.offset), "another tool"
    unreadable = list(faults)
    present = [family for family in _FAMILIES if family.is_in(last)]
    with_origin = [family for family in present if family.has_origin(last)]
    # What is said last counts: the best witness comes last.
    for family in (*(one for one in present if one not in with_origin), *reversed(with_origin)):
        if family in with_origin:
            try:
                origin = _origin(family, last)
            except ValueError as error:
                unreadable.insert(len(faults), f"{family.tool} {error}")
                continue
        detail = family.detail(last)
    detail = f"put there by {detail}"
    if unreadable:
        detail = f"headers that cannot be read: {', '.join(unreadable)}; {detail}"
    when = dt.datetime.fromtimestamp(min(max(position.timestamp, 0), LATEST_MS) / 1000, dt.UTC)
    return DeadLetter(
        id=derived_id("foreign", position),
        reason=Reason.FOREIGN,
        detail=clean_detail(detail),
        topic=origin[0],
        partition=origin[1],
        offset=origin[2],
        timestamp=min(max(position.timestamp, 0), LATEST_MS),
        key=key,
        value=value,
        headers=headers,
        first_failed_at=when,
        last_failed_at=when,
    )


def _origin(family: Family, last: Mapping[bytes, bytes | None]) -> tuple[str, int, int]:
    """Topic, partition and offset. Raises ValueError naming the part that is missing or malformed."""
    parts = {name: last.get(family.prefix + name.encode()) for name in ("topic", "partition", "offset")}
    given = {name: data for name, data in parts.items() if data is not None}
    if missing := [name for name in parts if name not in given]:
        raise ValueError(missing[0])
    return (
        read(given, "topic", topic_name),
        read(given, "partition", family.partition),
        read(given, "offset", family.offset),
    )


def _first_text(last: Mapping[bytes, bytes | None], names: tuple[bytes, ...]) -> str:
    return next((data.decode("utf-8", "replace") for name in names if (data := last.get(name))), "")
