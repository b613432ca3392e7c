"""The API on the real database, and as a process of its own."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import signal
import socket
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from msgspec.structs import replace

from api.app import Doors, create_app, resources, some_ports, utc_now
from api.auth import OneKey
from api.cursors import Cursors
from api.metrics import ApiMetrics
from ops.devstack.layout import free_port
from ops.devstack.stack import Stack
from schemas.errors import MigrationRefused, StoreUnavailable, TooSlow
from schemas.rows import AUDIT
from schemas.secret_names import API_KEY
from schemas.settings import Settings
from streams.adapters.api_keys import KeyStore
from streams.adapters.brokers import check_brokers
from streams.adapters.database import create_pool
from streams.adapters.idempotency import IdempotencyKeys
from streams.adapters.maintenance import PostgresMaintenance
from streams.adapters.reads import PostgresReads
from streams.adapters.secrets import FileSecrets
from streams.adapters.slo import PostgresSlo
from streams.adapters.transactions import Transactions
from streams.core.reads import EXACT_TOTAL, AuditQuery
from tests.integration.api_process import get, process
from tests.integration.conftest import Database

LOGS = "/api/v1/audit-logs"
SLO = "/api/v1/slo"
NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)


@pytest_asyncio.fixture
async def client(database: Database) -> AsyncIterator[httpx2.AsyncClient]:
    """A client with the key, on the app without a socket between."""
    key = database.secrets.get(API_KEY)
    assert key is not None
    reads = PostgresReads(database.pool)
    metrics = ApiMetrics()
    ports = some_ports(
        metrics=metrics,
        checks={"postgresql": reads.check_schema},
        reads=reads,
        keys=KeyStore(Transactions(database.pool), tuple),
        answers=IdempotencyKeys(Transactions(database.pool)),
        cursors=Cursors(lambda: (b"key of the cursors",), utc_now),
        slo=PostgresSlo(Transactions(database.pool)),
        maintenance=PostgresMaintenance(Transactions(database.pool)),
        now=utc_now,
    )
    app = create_app(resources(ports), Doors(authenticator=OneKey(key)), metrics)
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    headers = {"X-API-KEY": key.reveal()}
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as client:
        yield client


def audited(offset: int, **changes: Any) -> tuple[Any, ...]:
    """A row of `audit`; the higher the offset, the newer."""
    values: dict[str, Any] = dict.fromkeys(AUDIT) | {
        "topic": "mutt.ingest.snmp",
        "partition": 1,
        "offset": offset,
        "broker_time": NOW - dt.timedelta(minutes=60 - offset),
        "hostname": "edge-1",
        "disposition": "unhandled",
        "ruleset_version": 1,
        "message": "m",
        "raw": b'{"n":%d}' % offset,
    }
    return tuple((values | changes).values())


async def store(database: Database, *rows: tuple[Any, ...]) -> None:
    await database.pool.copy_records_to_table("audit", records=rows, columns=AUDIT)


async def offsets(client: httpx2.AsyncClient, **params: Any) -> list[int]:
    """The offsets of one page, as the ids say."""
    answer = await client.get(LOGS, params=params)
    assert answer.status_code == 200, answer.text
    return [log["id"] & (2**40 - 1) for log in answer.json()["logs"]]


async def test_empty_tables(client: httpx2.AsyncClient) -> None:
    logs = await client.get(LOGS)
    assert logs.json() == {"logs": [], "pagination": {"page": 1, "limit": 50, "total": 0, "pages": 0}}
    slo = (await client.get(SLO)).json()
    assert slo["window_hours"] == 24
    assert {name: part["availability"] for name, part in slo["components"].items()} == {
        "ingestor": None,
        "forwarder": None,
    }


async def test_rows_as_v1_shows_them(client: httpx2.AsyncClient, database: Database) -> None:
    alert = "0198c0de-0000-7000-8000-000000000001"
    seen = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
    matched = audited(2, event_time=seen, disposition="alerted", rule_id=9, handling="Page_only", alert_id=alert)
    await store(database, audited(1), matched)
    body = (await client.get(LOGS)).json()
    assert body == {
        "logs": [
            {
                "id": (2 << 56) + (1 << 40) + 2,
                "event_timestamp": "2026-03-01T12:00:00+00:00",
                "hostname": "edge-1",
                "matched_rule_id": 9,
                "handling_decision": "Page_only",
                "forwarded_to_moog": True,
                "raw_message": '{"n":2}',
            },
            {
                "id": (2 << 56) + (1 << 40) + 1,
                "event_timestamp": (NOW - dt.timedelta(minutes=59)).isoformat(),
                "hostname": "edge-1",
                "matched_rule_id": None,
                "handling_decision": "Unhandled",
                "forwarded_to_moog": False,
                "raw_message": '{"n":1}',
            },
        ],
        "pagination": {"page": 1, "limit": 50, "total": 2, "pages": 1},
    }


async def test_filters(client: httpx2.AsyncClient, database: Database) -> None:
    await store(
        database,
        audited(1, hostname="a"),
        audited(2, hostname="b", rule_id=7, handling="Ignore"),
        audited(3, hostname="a", rule_id=7, handling="Log_only", event_time=dt.datetime(2020, 1, 1, tzinfo=dt.UTC)),
        audited(4, hostname="a'; DROP TABLE audit --"),
    )
    assert await offsets(client, hostname="a") == [3, 1]
    assert await offsets(client, rule_id=7) == [3, 2]
    assert await offsets(client, rule_id=7, hostname="b") == [2]
    assert await offsets(client, hostname="a'; DROP TABLE audit --") == [4]
    assert await offsets(client, hostname="A") == []
    second = (NOW - dt.timedelta(minutes=58)).isoformat()
    assert await offsets(client, start_date=second) == [4, 2]
    assert await offsets(client, end_date=second) == [3, 2, 1]
    assert await offsets(client, start_date=second, end_date=second) == [2]
    assert await offsets(client, start_date="2020-01-01", end_date="2020-01-01") == [3]
    assert await offsets(client, start_date="0001-01-01", end_date="9999-12-31") == [4, 3, 2, 1]
    assert await offsets(client, hostname="\ud7ff\ufffd%_", rule_id=2**31 - 1) == []


async def test_pages_cover_everything_once_newest_first(client: httpx2.AsyncClient, database: Database) -> None:
    """Over the stretches too: the newest rows are minutes old, the oldest weeks."""
    ages = [dt.timedelta(minutes=3), dt.timedelta(hours=3), dt.timedelta(days=3), dt.timedelta(days=20)]
    rows = [audited(n, broker_time=NOW - ages[3 - n // 5] + dt.timedelta(seconds=n)) for n in range(20)]
    await store(database, *rows)
    for limit in (1, 3, 5, 7, 20, 50):
        pages = [await offsets(client, limit=limit, page=page) for page in range(1, 20 // limit + 2)]
        assert [offset for page in pages for offset in page] == list(range(19, -1, -1))
    assert await offsets(client, limit=50, page=2**31 - 1) == []


async def test_limits(client: httpx2.AsyncClient, database: Database) -> None:
    await store(database, *(audited(n, broker_time=NOW) for n in range(205)))
    assert len(await offsets(client, limit=201)) == 200
    assert len(await offsets(client)) == 50
    assert (await client.get(LOGS, params={"limit": 0})).status_code == 422
    assert (await client.get(LOGS, params={"page": 2**63})).status_code == 422


async def test_large_totals_are_estimates(client: httpx2.AsyncClient, database: Database) -> None:
    count = EXACT_TOTAL + 500
    await database.pool.execute(
        """INSERT INTO audit
               (topic, partition, "offset", broker_time, hostname, disposition, ruleset_version, message, raw)
           SELECT 'mutt.ingest.raw', 0, n, now(), 'h' || (n % 2), 'logged', 1, 'm', '\\x61'
           FROM generate_series(1, $1::int) n""",
        count,
    )
    await database.pool.execute("ANALYZE audit")
    answer = await client.get(LOGS, params={"page": 3})
    assert answer.headers["x-total-estimated"] == "true"
    assert answer.json()["pagination"]["total"] == pytest.approx(count, rel=0.2)
    assert len(answer.json()["logs"]) == 50
    half = await client.get(LOGS, params={"hostname": "h1"})
    assert "x-total-estimated" not in half.headers
    assert half.json()["pagination"]["total"] == count // 2
    assert await offsets(client, page=10**6, limit=200) == []


async def test_slo_sums_the_window(client: httpx2.AsyncClient, database: Database) -> None:
    rows = [
        ("ingestor", "t", 0, NOW - dt.timedelta(minutes=5), 90, 100),
        ("ingestor", "t", 1, NOW - dt.timedelta(hours=20), 900, 900),
        ("ingestor", "t", 1, NOW - dt.timedelta(hours=30), 0, 5000),
        ("forwarder", "t", 0, NOW - dt.timedelta(minutes=5), 100, 100),
    ]
    await database.pool.copy_records_to_table(
        "sli", records=rows, columns=("component", "topic", "partition", "minute", "good", "total")
    )
    day = (await client.get(SLO)).json()["components"]
    assert (day["ingestor"]["availability"], day["ingestor"]["burn_rate"], day["ingestor"]["state"]) == (
        0.99,
        2.0,
        "warn",
    )
    assert (day["forwarder"]["availability"], day["forwarder"]["error_budget_remaining"]) == (1.0, 1.0)
    hour = (await client.get(SLO, params={"window_hours": 1})).json()["components"]["ingestor"]
    assert (hour["availability"], hour["state"]) == (0.9, "critical")
    await database.pool.execute("INSERT INTO dynamic_config (key, value) VALUES ('slo_window_hours', '48')")
    configured = (await client.get(SLO)).json()
    assert configured["window_hours"] == 48
    assert configured["components"]["ingestor"]["availability"] == 990 / 6000


async def test_refusals_carry_the_headers(client: httpx2.AsyncClient) -> None:
    for method, path, status in (("GET", "/api/v1/x", 404), ("PUT", LOGS, 405), ("GET", f"{LOGS}?limit=0", 422)):
        answer = await client.request(method, path)
        assert answer.status_code == status
        assert {"x-api-version", "x-api-supported-versions", "x-request-id"} <= set(answer.headers)
    unknown = await client.get(SLO, headers={"X-API-KEY": "unknown"})
    assert (unknown.status_code, set(unknown.json())) == (401, {"error", "correlation_id"})


async def test_an_exhausted_pool_is_unavailable_soon(database: Database) -> None:
    pool = await create_pool(database.settings, database.secrets, size=1)
    async with pool.acquire():
        with pytest.raises(StoreUnavailable):
            await asyncio.wait_for(PostgresReads(pool, acquire_s=0.2).audit_logs(AuditQuery()), 5)
    assert (await PostgresReads(pool).audit_logs(AuditQuery())).total == 0
    await pool.close()


@pytest.mark.proves("api.slow")
async def test_a_lock_cannot_hold_an_answer(database: Database) -> None:
    async with database.pool.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE audit IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(TooSlow):
            await asyncio.wait_for(PostgresReads(database.pool, answer_s=0.5).audit_logs(AuditQuery()), 5)
    assert (await PostgresReads(database.pool).audit_logs(AuditQuery())).total == 0


async def test_a_frozen_server_cannot_hold_an_answer(database: Database) -> None:
    pool = await create_pool(database.settings, database.secrets, size=1)
    reads = PostgresReads(pool, acquire_s=0.5)
    backend = await pool.fetchval("SELECT pg_backend_pid()")
    os.kill(backend, signal.SIGSTOP)
    try:
        with pytest.raises(StoreUnavailable):
            await asyncio.wait_for(reads.audit_logs(AuditQuery()), 3)
    finally:
        os.kill(backend, signal.SIGCONT)
    assert (await reads.audit_logs(AuditQuery())).total == 0
    await pool.close()


async def test_a_schema_that_is_not_ours_is_not_ready(client: httpx2.AsyncClient, database: Database) -> None:
    assert (await client.get("/ready")).status_code == 200
    await database.pool.execute("DELETE FROM schema_migrations WHERE number = 2")
    with pytest.raises(MigrationRefused):
        await PostgresReads(database.pool).check_schema()


@pytest.mark.proves("api.slow", "api.term")
def test_process_without_servers() -> None:
    """PostgreSQL and Kafka away: it lives, is not ready, answers quickly, and ends on SIGTERM."""
    nowhere = Settings(
        kafka_bootstrap="127.0.0.1:1", database_url="postgresql://mutt@127.0.0.1:1/mutt", api_port=free_port()
    )
    with process(nowhere) as (port, child):
        assert get(port, "/health")[0] == 200
        status, body = get(port, "/ready")
        assert (status, {name: part["state"] for name, part in body["checks"].items()}) == (
            503,
            {"postgresql": "down", "kafka": "down"},
        )
        assert get(port, "/health", {"X-Large": "a" * 100_000})[0] == 431
        assert get(port, "/health", {"Upgrade": "websocket", "Connection": "upgrade"})[0] == 200
        for garbage in (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b"GET / HTTP/1.1\r\nno header\r\n\r\n", b"GET /\r\n\r\n"):
            answer = exchange(port, garbage)
            assert answer.startswith(b"HTTP/1.1 400 ")
            assert all(name in answer.lower() for name in (b"x-api-version: 2.0", b"x-request-id:", b"problem+json"))
        started = time.monotonic()
        assert get(port, LOGS)[0] == 503
        assert time.monotonic() - started < 5
        child.send_signal(signal.SIGTERM)
        assert child.wait(timeout=15) == 0


@pytest.mark.proves("api.term")
async def test_process_on_real_servers(kafka: Stack, database: Database) -> None:
    await store(database, audited(1))
    await check_brokers(database.settings.kafka_bootstrap)
    with process(replace(database.settings, api_port=free_port())) as (port, child):
        status, body = await asyncio.to_thread(get, port, "/ready")
        assert (status, body["status"]) == (200, "ready")
        assert (await asyncio.to_thread(get, port, LOGS))[0] == 401
        key = FileSecrets(database.settings.secrets_dir).get(API_KEY)
        assert key is not None
        status, body = await asyncio.to_thread(get, port, LOGS, {"Authorization": f"Bearer {key.reveal()}"})
        assert (status, body["pagination"]["total"]) == (200, 1)
        child.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(child.wait, 15) == 0


def exchange(port: int, request: bytes) -> bytes:
    """What the server says to these bytes until it closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(request)
        with connection.makefile("rb") as answer:
            return answer.read()
