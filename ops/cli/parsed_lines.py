"""Raw syslog lines as JSON objects, one a line: the output of `mutt parse`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import IO, Any

import msgspec

from ops.cli.exits import Exit, fail
from schemas.errors import RecordRejected
from schemas.events import Decoded
from schemas.syslog import LINE_LIMIT, parse_line

_to_json = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode


def write_parsed(file: str) -> None:
    """The lines of a file, or of standard input for `-`, to standard output."""
    with _opened(file) as lines:
        for line in _lines(lines):
            sys.stdout.write(_to_json(_parsed(line)).replace("\x7f", "\\u007f") + "\n")
    sys.stdout.flush()


def _opened(file: str) -> Any:
    """The bytes to read, as a context. A file that cannot be read ends the command with one line."""
    if file == "-":
        if sys.stdin is None or sys.stdin.closed:
            return nullcontext(())
        return nullcontext(sys.stdin.buffer)
    try:
        return Path(file).open("rb")
    except OSError as error:
        fail(Exit.BAD_DATA, f"{file}: {error.strerror}")


def _lines(stream: IO[bytes] | tuple[()]) -> Iterator[bytes]:
    """The lines without their line feed. Of a line beyond the limit only enough is held to know that it is."""
    if isinstance(stream, tuple):
        return
    while line := stream.readline(LINE_LIMIT + 2):
        if line.endswith(b"\n"):
            yield line[:-1]
            continue
        yield line
        while len(line) == LINE_LIMIT + 2 and not line.endswith(b"\n"):
            line = stream.readline(LINE_LIMIT + 2)


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        return _shown(parse_line(line))
    except RecordRejected as rejected:
        return {"error": rejected.reason.value, "detail": rejected.detail}


def _shown(decoded: Decoded) -> dict[str, Any]:
    event = decoded.event
    fields = {name: getattr(event, name) for name in event.__struct_fields__}
    shown: dict[str, Any] = {name: value for name, value in fields.items() if value is not None}
    shown["format"] = decoded.format.value
    if decoded.event_time is not None:
        shown["event_time"] = msgspec.to_builtins(decoded.event_time)
    if decoded.flags:
        shown["flags"] = [flag.value for flag in decoded.flags]
    return shown
