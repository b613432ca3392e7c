"""The API as a process of its own, for tests that ask it over a socket."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from schemas.settings import Settings
from tests.programs import bare_environment


@contextmanager
def process(settings: Settings) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """`python -m api`, once it answers."""
    kept = bare_environment()
    child = subprocess.Popen([sys.executable, "-m", "api"], env=kept | settings.to_env(), stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while not answers(settings.api_port):
            assert child.poll() is None
            assert time.monotonic() < deadline
        yield settings.api_port, child
    finally:
        child.kill()
        child.wait()


def answers(port: int) -> bool:
    try:
        return get(port, "/health")[0] == 200
    except OSError:
        time.sleep(0.05)
        return False


def get(port: int, path: str, headers: dict[str, str] | None = None) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path, headers=headers or {})
        answer = connection.getresponse()
        assert answer.getheader("server") is None
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()
