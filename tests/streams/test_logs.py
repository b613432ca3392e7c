"""Log lines: one JSON object a line, whatever an event's text holds."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from schemas.secrets import Secret
from streams import logs

HOSTILE = 'a\x1b[2J\x9b31m\x7f\u2028b\u2029\n{"level":"critical"}\u202eé'


@pytest.mark.parametrize("through", ["structlog.get_logger().warning(text)", "logging.getLogger('x').warning(text)"])
def test_K21_K22_text_drives_no_terminal_and_makes_no_second_line(through: str) -> None:
    code = (
        "import json, logging, structlog, sys; from streams import logs; logs.configure('info', 'match');"
        f" text = json.loads(sys.stdin.read()); {through}"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=json.dumps(HOSTILE).encode(), capture_output=True, check=True
    )
    line = done.stderr.decode()
    assert len(line.splitlines()) == 1
    assert [char for char in line.rstrip("\n") if not char.isprintable()] == []
    assert json.loads(line)["event"] == HOSTILE


@pytest.mark.parametrize("through", ["structlog.get_logger().warning('x')", "logging.getLogger('x').warning('x')"])
def test_every_line_carries_the_ids_of_what_is_in_hand(through: str) -> None:
    code = (
        "import logging, structlog; from streams import logs; logs.configure('info', 'api');"
        f" token = logs.IN_HAND.set({{'request_id': 'r-1'}}); {through}; logs.IN_HAND.reset(token); {through}"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert [json.loads(line).get("request_id") for line in done.stderr.splitlines()] == ["r-1", None]


@pytest.mark.parametrize("through", ["structlog.get_logger().warning('x')", "logging.getLogger('x').warning('x')"])
def test_a_log_without_room_fails_no_work(through: str) -> None:
    """A worker died of its first line on a full disk."""
    code = f"import logging, structlog; from streams import logs; logs.configure('info', 'match'); {through}; print(1)"
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=full, check=False)
    assert (done.returncode, done.stdout) == (0, b"1\n")


@pytest.mark.checks("SECRET_2")
def test_a_secret_stands_in_no_line_whoever_writes_it() -> None:
    out = NarrowFile(room=1000)
    lines = logs.Lines(out, "match")
    logs.hide([Secret("a-secret-of-the-test"), Secret("short")])
    lines.write(b'{"event":"refused: a-secret-of-the-test, shortly"}\n')
    assert out.written == b'{"event":"refused: ***, shortly"}\n'


def test_lines_that_were_lost_are_counted_once_there_is_room() -> None:
    out = NarrowFile(room=3)
    lines = logs.Lines(out, "match")
    for line in (b"a\n", b"bc\n", b"d\n"):
        lines.write(line)
    out.room = 1000
    lines.write(b"e\n")
    cut, empty, told, last = out.written.split(b"\n", 3)
    assert (cut, empty, last) == (b"a", b"b", b"e\n")
    assert json.loads(told)["lines"] == 2
    assert lines.write(b"f\n") == 2
    assert out.written.endswith(b"e\nf\n")


class NarrowFile(io.RawIOBase):
    """Takes as many bytes as there is room."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.written = b""

    def write(self, data: Any) -> int:
        if not self.room:
            raise OSError(28, "No space left on device")
        part = bytes(data)[: self.room]
        self.written += part
        self.room -= len(part)
        return len(part)
