"""The workers' own HTTP server: every answer names versions and an id, whatever was asked."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry, Counter

from streams.health import HealthServer


class Worker:
    """What a health server is told."""

    def __init__(self) -> None:
        self.missing: dict[str, str] = {}
        self.broken = False

    def ready(self) -> dict[str, str]:
        if self.broken:
            raise RuntimeError("s3cret")
        return self.missing


@pytest.fixture
def worker() -> Worker:
    return Worker()


@pytest_asyncio.fixture
async def address(worker: Worker) -> AsyncIterator[tuple[str, int]]:
    registry = CollectorRegistry()
    Counter("mutt_test", "A test.", registry=registry)
    server = HealthServer("match", registry, worker.ready)
    await server.start("127.0.0.1", 0)
    assert server.address is not None
    yield server.address
    await server.close()


async def ask(address: tuple[str, int], method: str, path: str) -> tuple[int, str]:
    """Status and body, once the headers of every answer are there."""
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"http://{address[0]}:{address[1]}{path}") as answer,
    ):
        named(dict(answer.headers))
        return answer.status, await answer.text()


def named(headers: dict[str, str]) -> None:
    uuid.UUID(headers["X-Request-ID"])
    assert headers["X-API-Version"] == "2.0"
    assert headers["X-API-Supported-Versions"] == "2.0, 1.0"
    assert headers["Server"] == "mutt"


async def test_answers(address: tuple[str, int], worker: Worker) -> None:
    assert (await ask(address, "GET", "/health"))[0] == 200
    assert (await ask(address, "HEAD", "/health")) == (200, "")
    assert (await ask(address, "GET", "/ready"))[0] == 200
    worker.missing = {"kafka": "no assignment"}
    assert (await ask(address, "GET", "/ready?x=1"))[0] == 503
    assert "mutt_test_total 0.0" in (await ask(address, "GET", "/metrics"))[1]


@pytest.mark.checks("SURFACE_4")
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 404), ("GET", "/health/", 404), ("POST", "/health", 405), ("TRACE", "/ready", 405)],
)
async def test_what_is_not_there(address: tuple[str, int], method: str, path: str, status: int) -> None:
    assert (await ask(address, method, path))[0] == status


@pytest.mark.checks("SURFACE_4")
async def test_a_defect_is_500_and_tells_nothing(address: tuple[str, int], worker: Worker) -> None:
    worker.broken = True
    status, text = await ask(address, "GET", "/ready")
    assert status == 500
    assert "s3cret" not in text


@pytest.mark.parametrize("garbage", [b"\x16\x03\x01\r\n\r\n", b"GET /health HTTP/1.1\r\nno header\r\n\r\n"])
@pytest.mark.checks("SURFACE_4")
async def test_what_is_no_http_is_400(address: tuple[str, int], garbage: bytes) -> None:
    reader, writer = await asyncio.open_connection(*address)
    writer.write(garbage)
    answer = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    assert status.split()[1] == "400"
    named(dict(line.split(": ", 1) for line in lines))
    assert b"no header" not in body
