"""The API as a process of its own, for tests that ask it over a socket."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from schemas.settings import Settings
from tests.programs import Forked, Surroundings, bare_environment, start_module


@contextmanager
def process(settings: Settings) -> Iterator[tuple[int, Forked]]:
    """`python -m api`, once it answers."""
    child = start_module("api", surroundings=Surroundings(bare_environment() | settings.to_env()))
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
