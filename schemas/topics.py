"""Every Kafka topic of mutt in one table."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

MIB = 1024 * 1024


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
    name: str
    format: RecordFormat
    source: str | None = None
    """Default `source` of events on this topic."""
    partitions: int = 8
    config: dict[str, str] = field(default_factory=dict)

    @property
    def is_ingest(self) -> bool:
        return self.format in (RecordFormat.EVENT_JSON, RecordFormat.SYSLOG_LINE)


_INGEST = {"message.timestamp.type": "LogAppendTime", "max.message.bytes": str(4 * MIB)}
_OURS = {"message.timestamp.type": "LogAppendTime", "max.message.bytes": str(4 * MIB)}

SYSLOG = Topic(1, "mutt.ingest.syslog", RecordFormat.EVENT_JSON, "syslog", config=_INGEST)
SNMP = Topic(2, "mutt.ingest.snmp", RecordFormat.EVENT_JSON, "snmp", config=_INGEST)
RAW = Topic(3, "mutt.ingest.raw", RecordFormat.SYSLOG_LINE, "syslog", config=_INGEST)
ALERTS = Topic(4, "mutt.alerts", RecordFormat.ALERT_JSON, config=_OURS)
DLQ = Topic(5, "mutt.dlq", RecordFormat.OPAQUE, config=_OURS)
PARKED = Topic(6, "mutt.dlq.parked", RecordFormat.OPAQUE, config=_OURS)

TOPICS: tuple[Topic, ...] = (SYSLOG, SNMP, RAW, ALERTS, DLQ, PARKED)
INGEST: tuple[Topic, ...] = tuple(topic for topic in TOPICS if topic.is_ingest)
BY_NAME: dict[str, Topic] = {topic.name: topic for topic in TOPICS}
