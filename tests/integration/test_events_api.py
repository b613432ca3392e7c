"""Events by HTTP on the real broker: what is acknowledged, what each event became, and a broker that stands still."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from ops.devstack.layout import free_port
from ops.devstack.stack import Stack
from schemas.errors import BrokerUnavailable, Overloaded
from schemas.secret_names import API_KEY
from streams.adapters.event_publisher import KafkaEvents
from streams.adapters.transactions import Transactions
from streams.adapters.undecided import LogsAndProgress
from streams.core.ingest import IngestRecord, Published
from tests.integration.api_process import process
from tests.integration.conftest import Database
from tests.integration.pipeline import configure, until
from tests.integration.topics import read_all
from tests.programs import bare_environment

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "v1_client.py"
SYSLOG, SNMP = "mutt.ingest.syslog", "mutt.ingest.snmp"


def event(**changes: Any) -> dict[str, Any]:
    return {"timestamp": "2026-03-01T12:00:00Z", "hostname": "h1", "message": "m"} | changes


def post(port: int, path: str, body: bytes, key: str, media: str = "application/json") -> tuple[int, Any, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("POST", path, body, {"X-API-KEY": key, "Content-Type": media, "X-Correlation-ID": "c-1"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read()), answer.headers
    finally:
        connection.close()


def old_client(port: int, key: str) -> subprocess.CompletedProcess[str]:
    """The example of a client of version 1, unchanged."""
    environment = bare_environment() | {"MUTT_URL": f"http://127.0.0.1:{port}", "MUTT_KEY": key}
    return subprocess.run(
        [sys.executable, EXAMPLE], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


async def test_events_by_http_are_on_their_topics(broker: Stack, database: Database) -> None:
    """A15, on the way: of ten lines one is bad, and nine are published."""
    secret = database.secrets.get(API_KEY)
    assert secret is not None
    key = secret.reveal()
    await configure(database.pool, "ingest_max_rate", "1100")
    settings = replace(database.settings, api_port=free_port())
    with process(settings) as (port, _):

        async def ask(path: str, body: bytes, media: str = "application/json") -> tuple[int, Any, Any]:
            return await asyncio.to_thread(post, port, path, body, key, media)

        async def takes_events() -> bool:
            return (await ask("/ingest", json.dumps(event()).encode()))[0] == 200

        await until(takes_events, "the broker is found")
        trap = json.dumps(event(trap_oid="1.3.6.1.6.3.1.1.5.3", raw=1)).encode()
        status, body, _ = await ask("/api/v1/ingest", trap)
        assert status == 200
        assert body | {"queue_depth": 0} == {"status": "queued", "correlation_id": "c-1", "queue_depth": 0}
        assert [message.value() for message in read_all(broker.kafka.bootstrap, SNMP)] == [trap]

        lines = [json.dumps(event(hostname=f"h{n}", message=f"line {n}")).encode() for n in range(10)]
        lines[3] = b'{"hostname": 5'
        status, body, _ = await ask("/api/v2/events", b"\n".join(lines) + b"\n", "application/x-ndjson")
        assert (status, body["counts"]) == (202, {"published": 9, "rejected": 1})
        assert [item["index"] for item in body["items"]] == list(range(10))
        assert body["items"][3]["error"]["reason"] == "json"
        there = {(m.partition(), m.offset()): (m.key(), m.value()) for m in read_all(broker.kafka.bootstrap, SYSLOG)}
        for number, item in enumerate(body["items"]):
            if number != 3:
                assert there[item["partition"], item["offset"]] == (f"h{number}".encode(), lines[number])
                assert item["event_id"] == f"{SYSLOG}:{item['partition']}:{item['offset']}"

        client = await asyncio.to_thread(old_client, port, key)
        assert client.returncode == 0, client.stderr
        assert client.stdout.startswith("queued as v1-client behind ")
        assert "v1-host" in {m.key().decode() for m in read_all(broker.kafka.bootstrap, SYSLOG)}

        many = [event(hostname=f"h{n % 50}", message="x" * 300) for n in range(1000)]
        status, body, _ = await ask("/api/v2/events", json.dumps(many).encode())
        assert (status, body["counts"]) == (202, {"published": 1000})
        assert len({item["event_id"] for item in body["items"]}) == 1000
        assert (await ask("/api/v2/events", json.dumps([*many, event()]).encode()))[0] == 413
        status, body, headers = await ask("/api/v2/events", json.dumps(many[:200]).encode())
        assert (status, body["type"]) == (429, "/problems/rate-limited")
        assert 1 <= int(headers["Retry-After"]) <= 60


async def test_what_is_undecided_is_counted(broker: Stack, database: Database) -> None:
    waiting = LogsAndProgress(broker.kafka.bootstrap, Transactions(database.pool))
    events = KafkaEvents(broker.kafka.bootstrap)
    running = asyncio.create_task(events.run())
    try:
        assert await waiting.count() == 0
        outcomes = await _published(events, 20)
        assert await waiting.count() == 20
        assert all(isinstance(outcome, Published) for outcome in outcomes)
        first = outcomes[0]
        assert isinstance(first, Published)
        await database.pool.execute(
            "INSERT INTO partition_progress (topic, partition, next_offset) VALUES ($1, $2, 1)",
            first.topic,
            first.partition,
        )
        assert await waiting.count() == 19
    finally:
        running.cancel()
        await asyncio.wait([running])
        await waiting.close()


async def _published(events: KafkaEvents, count: int) -> list[Any]:
    records = [IngestRecord(SYSLOG, b"h%d" % n, b"v" * 100) for n in range(count)]

    async def taken() -> list[Any]:
        try:
            return await events.publish(records)
        except BrokerUnavailable:
            return []

    outcomes: list[Any] = []

    async def there() -> bool:
        outcomes[:] = await taken()
        return bool(outcomes)

    await until(there, "the broker is found")
    return outcomes


@pytest.mark.proves("broker.freeze")
async def test_a_broker_that_stands_still_is_unknown_and_holds_a_bounded_amount(kafka: Stack) -> None:
    events = KafkaEvents(kafka.kafka.bootstrap, deadline_s=0.5, most_held=2_000_000)
    running = asyncio.create_task(events.run())
    server = kafka.kafka.child
    assert server is not None
    pid = server.process.pid
    try:
        await _published(events, 1)
        large = [IngestRecord(SYSLOG, b"h1", b"v" * 900_000)]
        os.kill(pid, signal.SIGSTOP)
        try:
            for _ in range(2):
                with pytest.raises(BrokerUnavailable):
                    await events.publish(large)
            assert 1_800_000 < events.held < 2_000_000
            with pytest.raises(Overloaded):
                await events.publish(large)
        finally:
            os.kill(pid, signal.SIGCONT)

        async def answered() -> bool:
            return events.held == 0

        await until(answered, "what was held is acknowledged")
    finally:
        running.cancel()
        await asyncio.wait([running])
