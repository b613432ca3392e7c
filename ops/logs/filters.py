"""Which lines of the logs are wanted."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ops.logs.lines import Level, LogLine
from schemas.errors import Refused


@dataclass(frozen=True, slots=True)
class Wanted:
    """All of its conditions must hold; without any, every line is wanted."""

    since: dt.datetime | None = None
    level: Level = Level.DEBUG
    pattern: re.Pattern[str] | None = None
    """Found in the text, in a field, or in `name=value` of one."""
    event: str | None = None
    """`topic:partition:offset`, or the id of an alert or letter."""

    def takes(self, line: LogLine) -> bool:
        return (
            line.level >= self.level
            and (self.since is None or line.at >= self.since)
            and (self.pattern is None or self.pattern.search(said(line)) is not None)
            and (self.event is None or _names(line, self.event))
        )


def compiled(pattern: str) -> re.Pattern[str]:
    """A regular expression of Python's. Raises Refused."""
    try:
        return re.compile(pattern)
    except re.error as error:
        raise Refused(f"--grep {pattern!r}: {error}") from error


def said(line: LogLine) -> str:
    """The text with its fields, as it is shown."""
    return " ".join([line.text, *(f"{name}={_short(value)}" for name, value in line.fields.items())])


def _short(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)


def _names(line: LogLine, event: str) -> bool:
    """Whether the id stands in the line as a whole, or in its fields `topic`, `partition` and `offset`."""
    if re.search(rf"(?<![\w.:-]){re.escape(event)}(?!\w|[:-]\w)", said(line)):
        return True
    return _place(line.fields) == event


def _place(fields: Mapping[str, Any]) -> str:
    return ":".join(str(fields.get(name)) for name in ("topic", "partition", "offset"))
