"""What a line of a log says: when, how grave, what; whether mutt, Kafka, PostgreSQL or OpenBao wrote it."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import orjson


class Level(IntEnum):
    """How grave a line is."""

    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40
    CRITICAL = 50


LEVELS = {level.name.lower(): level for level in Level}
_WORDS = LEVELS | {
    "trace": Level.DEBUG, "log": Level.INFO, "notice": Level.INFO, "warn": Level.WARNING, "fatal": Level.CRITICAL,
    "panic": Level.CRITICAL,
}  # fmt: skip
LONG_AGO = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)

_PLAIN = re.compile(
    r"(?P<at>\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d[.,]\d{1,9})(?P<zone>Z| UTC| GMT|[+-]\d\d:\d\d)?\s+"
    r"(?:\[\d+\]\s+)?\[?(?P<level>[A-Z]+)\]?:?\s+(?P<text>.*)"
)
"""The servers' lines; a time without a zone (Kafka's) is the machine's."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line. A line without a time of its own, as of a traceback, has that of the line before."""

    part: str
    at: dt.datetime
    level: Level
    text: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    """What mutt says beside the text."""


class Reader:
    """Reads the lines of one part in their order."""

    def __init__(self, part: str) -> None:
        self._part = part
        self._at = LONG_AGO
        self._level = Level.INFO

    def read(self, line: bytes) -> LogLine:
        """Whatever the line holds; what is not UTF-8 is shown as escapes."""
        found = self._of_mutt(line) or self._of_a_server(line.decode("utf-8", "backslashreplace"))
        self._at, self._level = found.at, found.level
        return found

    def _of_mutt(self, line: bytes) -> LogLine | None:
        if not line.startswith(b"{"):
            return None
        try:
            fields = orjson.loads(line)
            at = moment(str(fields.pop("timestamp")))
        except (orjson.JSONDecodeError, KeyError, ValueError):
            return None
        level = _WORDS.get(str(fields.pop("level", "info")), Level.INFO)
        fields.pop("service", None)
        return LogLine(self._part, at, level, str(fields.pop("event", "")), fields)

    def _of_a_server(self, text: str) -> LogLine:
        found = _PLAIN.match(text)
        if found is None:
            return LogLine(self._part, self._at, self._level, text)
        zone = (found["zone"] or "").strip().replace("UTC", "Z").replace("GMT", "Z")
        try:
            at = moment(found["at"].replace(",", ".") + zone)
        except ValueError:
            at = self._at
        # A line of PostgreSQL that explains the one before (DETAIL, HINT, STATEMENT) is as grave as that.
        return LogLine(self._part, at, _WORDS.get(found["level"].lower(), self._level), found["text"])


def moment(text: str) -> dt.datetime:
    """A time with its zone; the machine's zone where it names none. Raises ValueError."""
    return dt.datetime.fromisoformat(text).astimezone(dt.UTC)
