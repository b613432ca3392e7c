"""What a fuzz run found: each way in which an operation failed once, with a line of curl that shows it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """How bad it is."""

    SERVER_ERROR = "server_error"
    SCHEMA_BREAK = "schema_break"
    BEYOND_SCHEMA = "beyond_schema"
    """No failure: refused, with its reason, by a rule that JSON Schema has no words for."""


@dataclass(slots=True)
class Finding:
    """One way of failing, and how often it was met."""

    kind: Kind
    operation: str
    role: str
    what: str
    curl: str
    times: int = 1


class Findings:
    """All of a run, in the order in which they were met."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, ...], Finding] = {}

    def __iter__(self) -> Iterator[Finding]:
        return iter(self._found.values())

    def add(self, finding: Finding) -> bool:
        """Whether it is a new one."""
        same = (finding.kind, finding.operation, finding.what.partition(":")[0])
        known = self._found.setdefault(same, finding)
        if known is not finding:
            known.times += 1
        return known is finding

    def count(self, kind: Kind) -> int:
        return sum(finding.times for finding in self if finding.kind is kind)
