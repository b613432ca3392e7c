"""What rules decide over events, as lines of text or JSON: the output of `mutt rules test`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TextIO

import msgspec

from ops.cli.exits import printable
from schemas import codec
from schemas.errors import RecordRejected
from schemas.events import Disposition
from schemas.rules import RuleSet
from schemas.topics import SYSLOG
from streams.core.matching import Judgement, Knowledge

LINE_LIMIT = 1024 * 1024 + 2
"""Bytes of one line that are held; a longer one is over the limit of a record in any case."""

_COLUMNS = ("LINE", "DISPOSITION", "RULE", "HANDLING", "TEAM", "SEVERITY", "")
_LAYOUT = "{:>7}  {:<11}  {:>6}  {:<15}  {:<16}  {:<8}  {}".format


class DecisionWriter:
    """Judges events one by one and writes a line for each."""

    def __init__(self, rule_set: RuleSet, out: TextIO, *, as_json: bool) -> None:
        self._knowledge = Knowledge.of(rule_set)
        self._out = out
        self._as_json = as_json

    def write(self, lines: Iterable[bytes]) -> None:
        """One event a line, JSON. Whatever a line holds, the next one is taken."""
        show = _json_line if self._as_json else _text_line
        if not self._as_json:
            self._out.write(_LAYOUT(*_COLUMNS).rstrip() + "\n")
        for number, line in enumerate(lines, start=1):
            self._out.write(show(number, self.decision(line)))

    def decision(self, line: bytes) -> dict[str, Any]:
        """The decision over one event; `error` and `detail` where the line holds none."""
        try:
            judgement = self._knowledge.judge(codec.decode(line, SYSLOG).event)
        except RecordRejected as rejected:
            return {
                "disposition": Disposition.REJECTED.value,
                "error": rejected.reason.value,
                "detail": rejected.detail,
            }
        return _decision(judgement)


def _decision(judgement: Judgement) -> dict[str, Any]:
    """Handling and team are those of a rule; only an alert has a severity."""
    rule, disposition = judgement.rule, judgement.disposition
    return {
        "disposition": disposition.value,
        "rule_id": rule and rule.id,
        "handling": rule and judgement.handling.value,
        "team": rule and judgement.team,
        "alert_severity": judgement.severity.value if disposition is Disposition.ALERTED else None,
    }


def _json_line(number: int, decision: dict[str, Any]) -> str:
    return msgspec.json.encode(decision).decode() + "\n"


def _text_line(number: int, decision: dict[str, Any]) -> str:
    if "error" in decision:
        shown = [decision["disposition"], "-", "-", "-", "-", f"{decision['error']}: {decision['detail']}"]
    else:
        shown = [*("-" if value is None else value for value in decision.values()), ""]
    return printable(_LAYOUT(number, *shown).rstrip()) + "\n"


@contextmanager
def event_lines(file: str) -> Iterator[Iterable[bytes]]:
    """The lines of a file, or of standard input for `-`, without their line feed. Raises OSError."""
    if file != "-":
        with Path(file).open("rb") as stream:
            yield _lines(stream)
    elif sys.stdin is None or sys.stdin.closed:
        yield ()
    else:
        yield _lines(sys.stdin.buffer)


def _lines(stream: IO[bytes]) -> Iterator[bytes]:
    """Of a line beyond the limit only enough is held to know that it is one."""
    while line := stream.readline(LINE_LIMIT):
        yield line.removesuffix(b"\n")
        while len(line) == LINE_LIMIT and not line.endswith(b"\n"):
            line = stream.readline(LINE_LIMIT)
