"""The webhook receiver listens where it is told to: elsewhere than on loopback only on request."""

from __future__ import annotations

import json
import sys
import urllib.request
from pathlib import Path

import pytest

from ops.devstack.layout import free_port
from ops.devstack.processes import spawn, wait_until


@pytest.mark.parametrize(("given", "host"), [("{}", "127.0.0.1"), ("127.0.0.2:{}", "127.0.0.2")])
def test_it_listens_where_it_is_told_to(given: str, host: str, tmp_path: Path) -> None:
    port = free_port()
    argv = [sys.executable, "-m", "ops.devstack.sink", given.format(port), str(tmp_path / "received.jsonl")]
    child = spawn("sink", argv, log=tmp_path / "sink.log")
    try:
        wait_until(lambda: stats(host, port) is not None, what="the receiver", child=child, deadline_s=60)
        assert stats(host, port) == {"answers": {}, "distinct": 0, "duplicates": 0, "bad_signatures": 0}
    finally:
        child.stop()


def stats(host: str, port: int) -> object:
    try:
        with urllib.request.urlopen(f"http://{host}:{port}/stats", timeout=5) as answer:
            return json.loads(answer.read())
    except OSError:
        return None
