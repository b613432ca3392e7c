"""Every Kafka topic of mutt in one table, and what topics and consumer groups are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache

MIB = 1024 * 1024

DEFAULT_PREFIX = "mutt"
_prefix = DEFAULT_PREFIX


class RecordFormat(StrEnum):
    """How the value of a record on a topic is written."""

    EVENT_JSON = "event_json"
    SYSLOG_LINE = "syslog_line"
    ALERT_JSON = "alert_json"
    OPAQUE = "opaque"


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic: its stable number (part of v1 audit ids, never reused), its format and its broker settings."""

    number: int
    purpose: str
    """Its name behind the prefix."""
    format: RecordFormat
    source: str | None = None
    """Default `source` of events on this topic."""
    partitions: int = 8
    config: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{_prefix}.{self.purpose}"

    @property
    def is_ingest(self) -> bool:
        return self.format in (RecordFormat.EVENT_JSON, RecordFormat.SYSLOG_LINE)


_INGEST = {"message.timestamp.type": "LogAppendTime", "max.message.bytes": str(4 * MIB)}
_OURS = {"message.timestamp.type": "LogAppendTime", "max.message.bytes": str(4 * MIB)}

SYSLOG = Topic(1, "ingest.syslog", RecordFormat.EVENT_JSON, "syslog", config=_INGEST)
SNMP = Topic(2, "ingest.snmp", RecordFormat.EVENT_JSON, "snmp", config=_INGEST)
RAW = Topic(3, "ingest.raw", RecordFormat.SYSLOG_LINE, "syslog", config=_INGEST)
ALERTS = Topic(4, "alerts", RecordFormat.ALERT_JSON, config=_OURS)
DLQ = Topic(5, "dlq", RecordFormat.OPAQUE, config=_OURS)
PARKED = Topic(6, "dlq.parked", RecordFormat.OPAQUE, config=_OURS)

TOPICS: tuple[Topic, ...] = (SYSLOG, SNMP, RAW, ALERTS, DLQ, PARKED)
INGEST: tuple[Topic, ...] = tuple(topic for topic in TOPICS if topic.is_ingest)


@cache
def topics_by_name() -> Mapping[str, Topic]:
    return {topic.name: topic for topic in TOPICS}


def consumer_group(role: str) -> str:
    """The group that all workers of a role (match, forward, dead-letters) are members of."""
    return f"{_prefix}-{role}"


def is_ours(name: str) -> bool:
    """Whether a topic or consumer group has a name of this installation."""
    return name == _prefix or name.startswith((f"{_prefix}.", f"{_prefix}-"))


def use_prefix(prefix: str) -> None:
    """Names everything anew for this process, before any name is asked for: it belongs to one installation for good.

    An installation is what has one prefix: topics, consumer groups and a database of its own (docs/adr/0031).
    """
    global _prefix
    _prefix = prefix
    topics_by_name.cache_clear()
