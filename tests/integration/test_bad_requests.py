"""Bad requests to the real API as a process: each gets its status, none is a fault of the server, nothing is echoed."""

from __future__ import annotations

import asyncio
import http.client
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import suppress

from msgspec.structs import replace

from ops.devstack.layout import free_port
from schemas.secret_names import API_KEY
from tests.integration.api_process import process
from tests.integration.bad_requests import Bad, bad_requests
from tests.integration.conftest import Database

KEYS = ("X-API-KEY", "Authorization")
LEAST = 500


async def test_A_Q_every_bad_request_gets_its_status(database: Database) -> None:
    secret = database.secrets.get(API_KEY)
    assert secret is not None
    with process(replace(database.settings, api_port=free_port())) as (port, child):
        wrong, counts = await asyncio.to_thread(_ask_all, port, secret.reveal())
        assert child.poll() is None
    print("requests by row:", json.dumps(counts), file=sys.stderr)
    assert not wrong, "\n".join(fault for faults in wrong.values() for fault in faults[:10])
    assert sum(counts.values()) >= LEAST


def _ask_all(port: int, key: str) -> tuple[dict[str, list[str]], Counter[str]]:
    """What went wrong, by row, and how many there were."""
    wrong: dict[str, list[str]] = defaultdict(list)
    counts: Counter[str] = Counter()
    _, document = _ask(port, Bad("", (200,), "GET", "/api/openapi.json"), key)
    for bad in bad_requests(json.loads(document)):
        counts[bad.number] += 1
        if (fault := _fault(port, bad, key)) is not None:
            wrong[bad.number].append(fault)
    return dict(wrong), counts


def _fault(port: int, bad: Bad, key: str) -> str | None:
    status, body = _ask(port, bad, key)
    if status in bad.want and key.encode() not in body:
        return None
    return (
        f"{bad.method} {bad.target[:120]} {dict(bad.headers)} {bad.body and bad.body[:60]!r}: {status} {body[:200]!r}"
    )


def _ask(port: int, bad: Bad, key: str) -> tuple[int, bytes]:
    """On a connection of its own: what is refused may end it. A request that cannot be sent whole is still answered."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.putrequest(bad.method, bad.target, skip_host="Host" in bad.headers, skip_accept_encoding=True)
        for name, value in _headers(bad, key):
            connection.putheader(name, value.encode("utf-8", "surrogateescape"))
        with suppress(OSError):  # it may be refused while it is sent
            connection.endheaders(bad.body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _headers(bad: Bad, key: str) -> Iterator[tuple[str, str]]:
    yield "X-API-KEY", key
    if bad.body is not None:
        yield "Content-Length", str(len(bad.body))
    yield from bad.headers.items()
