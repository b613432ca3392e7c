"""docs/TOPICS.md: the topics with their settings, and every record as JSON Schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from ops.documents.markdown import block, code, page, table
from ops.documents.words import below_fields
from schemas.alerts import Alert
from schemas.bounds import CORRELATION_ID_LIMIT, INTEGER_MAX, INTEGER_MIN, VARBIND_LIMIT
from schemas.codec import VALUE_LIMIT
from schemas.dead_letters import HEADER_PREFIX, Reason, Stage
from schemas.events import Event
from schemas.rules import AlertSeverity
from schemas.topics import TOPICS, RecordFormat, Topic
from streams.core.letters import HEADER_FIELDS

_VALUES = {
    RecordFormat.EVENT_JSON: "[event](#an-event)",
    RecordFormat.SYSLOG_LINE: "[line](#a-line)",
    RecordFormat.ALERT_JSON: "[alert](#an-alert)",
    RecordFormat.OPAQUE: "[dead letter](#a-dead-letter)",
}
_KEYS = {RecordFormat.OPAQUE: "the original's"}
"""Of others it is the host name, which keeps a host in order."""


def document() -> str:
    about = (
        "`mutt topics create` makes them, `mutt doctor` compares them. Ids, times and offsets in them mean the same in"
        " the tables ([SQL.md](SQL.md));\nwhat producers send, by example: [PRODUCERS.md](PRODUCERS.md).\n\n"
        "`mutt` at the beginning of the names is the default of `MUTT_TOPIC_PREFIX`. Installations that share Kafka"
        " have a prefix each, and with it\ntopics, consumer groups and a database of their own"
        " ([ADR 0031](adr/0031-an-installation-is-a-prefix-and-a-database.md))."
    )
    return page("Topics and records", about, _topics(), _event(), _line(), _alert(), _letter())


def _topics() -> Iterator[str]:
    yield from table(
        ("Topic", "Number", "Key", "Value", "Partitions", "Settings"),
        (_topic(topic) for topic in TOPICS),
    )
    yield "The number is part of the ids in audit answers of version 1 and is never used again."
    yield ""


def _topic(topic: Topic) -> tuple[str, ...]:
    settings = ", ".join(code(f"{name}={value}") for name, value in topic.config.items())
    key = _KEYS.get(topic.format, "host name")
    return code(topic.name), str(topic.number), key, _VALUES[topic.format], str(topic.partitions), settings


def _event() -> Iterator[str]:
    yield "## An event"
    yield ""
    yield f"UTF-8, at most {VALUE_LIMIT:,} bytes. Fields that are not here are kept in the audit's raw bytes, unread."
    yield "A field that is here twice, of the wrong type or out of bounds makes the record a dead letter."
    yield ""
    yield from block("json", _text(event_schema()))


def _line() -> Iterator[str]:
    yield "## A line"
    yield ""
    yield "One line of RFC 5424 or RFC 3164, with or without its newline; mutt reads it into an [event](#an-event)."
    yield "A line that is not UTF-8 is read as ISO 8859-1 and flagged. `mutt parse FILE` shows how lines are read."
    yield ""


def _alert() -> Iterator[str]:
    yield "## An alert"
    yield ""
    yield "Severities: " + ", ".join(f"{one.value} ({one.number})" for one in AlertSeverity) + "."
    yield ""
    yield from _schema(Alert)


def _letter() -> Iterator[str]:
    yield "## A dead letter"
    yield ""
    yield "Key, value and headers of the original, byte for byte; then these headers, as text. Of a name that repeats"
    yield "the last counts. How often a letter was replayed is never read from a header. Records of other tools (Kafka"
    yield "Connect, Kafka Streams, Spring) are read too."
    yield ""
    properties = {HEADER_PREFIX + name: _HEADERS[name] for name in HEADER_FIELDS}
    yield from block("json", _text({"type": "object", "required": list(properties), "properties": properties}))


_COUNT = {"type": "string", "pattern": "^[0-9]{1,19}$"}
_TEXT = {"type": "string"}
_TIME = {"type": "string", "format": "date-time"}
_HEADERS: dict[str, dict[str, Any]] = {
    "id": {"type": "string", "format": "uuid"},
    "stage": {"enum": [stage.value for stage in Stage]},
    "reason": {"enum": [reason.value for reason in Reason]},
    "detail": _TEXT,
    "topic": _TEXT,
    "partition": _COUNT,
    "offset": _COUNT,
    "timestamp": _COUNT | {"description": "The record's broker time, ms since the epoch."},
    "attempts": _COUNT,
    "first_failed_at": _TIME,
    "last_failed_at": _TIME,
    "replays": _COUNT,
}


def schema(record: type) -> dict[str, Any]:
    """JSON Schema (2020-12) of a record, with the words that its class has for its fields."""
    (top,), parts = msgspec.json.schema_components([record], ref_template="#/$defs/{name}")
    whole = parts.pop(record.__name__, top)
    for name, words in below_fields(record).items():
        if name in whole["properties"]:
            whole["properties"][name]["description"] = words
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **whole} | ({"$defs": parts} if parts else {})


_OID = {"type": "string", "pattern": r"^\.?(0|[1-9][0-9]{0,9})(\.(0|[1-9][0-9]{0,9})){1,127}$"}
_NUMBER = {"type": "number", "minimum": INTEGER_MIN, "maximum": INTEGER_MAX}
_SCALARS = [{"type": "string"}, _NUMBER, {"type": "boolean"}, {"type": "null"}]
_AS_WRITTEN: dict[str, dict[str, Any]] = {
    "timestamp": {
        "type": ["string", "number"],
        "description": "RFC 3339 with a zone; anything else is kept, and flagged no_event_time.",
    },
    "structured_data": {"type": ["object", "string", "null"], "description": "As an object, or as RFC 5424 writes it."},
    "trap_oid": {"anyOf": [_OID, {"type": "null"}], "description": "2 to 128 arcs of at most 4294967295."},
    "varbinds": {
        "anyOf": [
            {
                "type": "object",
                "maxProperties": VARBIND_LIMIT,
                "propertyNames": _OID,
                "additionalProperties": {"anyOf": _SCALARS},
            },
            {"type": "null"},
        ]
    },
    "correlation_id": {
        "anyOf": [
            {"type": "string", "pattern": "^[!-~]+$", "maxLength": CORRELATION_ID_LIMIT},
            {"type": "null"},
        ],
        "description": "The event's id where it is absent.",
    },
}
"""What the decoder takes (schemas/codec.py, schemas/bounds.py) beyond the types of the class, or within them."""


def event_schema() -> dict[str, Any]:
    """JSON Schema of an event as producers write it."""
    found = schema(Event)
    found["properties"] |= _AS_WRITTEN
    found["properties"]["hostname"] |= {"pattern": r"\S", "description": "- stands for the host in the record's key."}
    return found


def _schema(record: type) -> Iterator[str]:
    yield from block("json", _text(schema(record)))


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False)
