"""Log lines: one JSON object a line, whatever an event's text holds."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

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
