"""The API over a socket: pages of a long audit, /ready, events in batches, and what a trivial route costs."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import asyncpg
from msgspec.structs import replace

from ops.devstack.layout import free_port
from ops.devstack.stack import Stack
from schemas.events import event_id
from schemas.secret_names import API_KEY
from tests.bench import api_console, api_trivial
from tests.bench.audit_rows import fill
from tests.bench.report import p99
from tests.integration.api_process import process
from tests.integration.conftest import Database, new_database
from tests.integration.pipeline import configure, until

TARGETS: dict[str, float] = {
    "api_page_p99_ms": -50, "api_page_1000_over_1": -1.5, "api_ready_p99_ms": -20, "api_ingest_events_per_s": 5_000,
}  # fmt: skip
"""At least this; a negative bound is a maximum."""
LOGS = "/api/v2/audit-logs"
PAGE = 200
PAGES = 60
DEEP = 1000
BATCH = 500


@dataclass
class Ground:
    """A running API on a filled database."""

    client: aiohttp.ClientSession
    base: str
    pid: int
    database: Database
    key: str


async def measure(stack: Stack, rows: int, seconds: float) -> dict[str, Any]:
    """Every figure of TARGETS, and what they are made of."""
    async with _ground(stack, rows) as ground:
        figures: dict[str, Any] = {"api_rows": rows, **await _pages(ground)}
        ready = [await _timed(ground, "/ready") for _ in range(100)]
        figures["api_ready_p99_ms"] = p99(ready)
        figures |= await api_console.measure(ground.base, ground.key, await _some_event(ground.database))
        figures["api_ingest_events_per_s"] = round(await _events_per_s(ground, seconds))
        figures |= await api_trivial.measure(ground.client, ground.base, ground.pid, seconds=seconds)
    return figures


@asynccontextmanager
async def _ground(stack: Stack, rows: int) -> AsyncIterator[Ground]:
    database = await new_database(stack)
    connection = await asyncpg.connect(database.dsn)
    try:
        await fill(connection, rows)
    finally:
        await connection.close()
    for key in ("ingest_max_rate", "max_ingest_queue_size"):
        await configure(database.pool, key, str(10**8))
    settings = replace(database.settings, api_port=free_port())
    secret = database.secrets.get(API_KEY)
    assert secret is not None
    headers = {"X-API-KEY": secret.reveal(), "Accept-Encoding": "identity"}
    with process(settings) as (port, child):
        async with aiohttp.ClientSession(headers=headers) as client:
            yield Ground(client, f"http://127.0.0.1:{port}", child.pid, database, secret.reveal())
    database.pool.terminate()


async def _some_event(database: Database) -> str:
    row = await database.pool.fetchrow('SELECT topic, partition, "offset" FROM audit LIMIT 1')
    return event_id(*row)


async def _pages(ground: Ground) -> dict[str, Any]:
    """Pages of each filter one after the other, and the first against the thousandth, close together in time."""
    alert = await ground.database.pool.fetchval("SELECT id FROM alerts LIMIT 1")
    day = await ground.database.pool.fetchrow("SELECT now() - interval '11 days' AS a, now() - interval '10 days' AS b")
    stretch = {"since": day["a"].isoformat(), "until": day["b"].isoformat()}
    cases: dict[str, dict[str, str]] = {
        "none": {}, "host": {"hostname": "host-0"}, "rare_host": {"hostname": "host-3000"}, "rule": {"rule_id": "1"},
        "alerted": {"disposition": "alerted"}, "shed": {"disposition": "shed"}, "stretch": stretch,
        "rule_stretch": {"rule_id": "1"} | stretch, "host_shed": {"hostname": "host-0", "disposition": "shed"},
        "text": {"q": "sequence 4999"}, "no_text": {"q": "%a%a%a"}, "alert": {"alert_id": str(alert)},
    }  # fmt: skip
    figures: dict[str, Any] = {}
    await _walk(ground, {}, 5)  # connections are made, plans are known
    for name, params in cases.items():
        waits = (await _walk(ground, params, PAGES))[0]
        figures[f"api_page_{name}_p99_ms"] = p99(waits)
    _, cursor = await _walk(ground, {"limit": str(PAGE)}, DEEP - 1)
    first, deep = [], []
    for _ in range(30):
        first.append(await _timed(ground, LOGS, {"limit": str(PAGE)}))
        deep.append(await _timed(ground, LOGS, {"limit": str(PAGE)} | ({"cursor": cursor} if cursor else {})))
    worst = max(value for name, value in figures.items() if name.endswith("_p99_ms"))
    figures |= {"api_page_1_ms": _median(first), "api_page_1000_ms": _median(deep)}
    return figures | {"api_page_p99_ms": worst, "api_page_1000_over_1": round(_median(deep) / _median(first), 2)}


async def _walk(ground: Ground, params: dict[str, str], pages: int) -> tuple[list[float], str | None]:
    """How long each page took, and where the next begins."""
    waits: list[float] = []
    cursor: dict[str, str] = {}
    for _ in range(pages):
        began = time.perf_counter()
        body = await _get(ground, LOGS, {"limit": str(PAGE)} | params | cursor)
        waits.append((time.perf_counter() - began) * 1000)
        if body["next"] is None:
            return waits, None
        cursor = {"cursor": body["next"]}
    return waits, cursor["cursor"]


async def _get(ground: Ground, path: str, params: dict[str, str] | None = None) -> Any:
    async with ground.client.get(ground.base + path, params=params) as answer:
        assert answer.status == 200, await answer.text()
        return json.loads(await answer.read())


async def _timed(ground: Ground, path: str, params: dict[str, str] | None = None) -> float:
    began = time.perf_counter()
    await _get(ground, path, params)
    return (time.perf_counter() - began) * 1000


async def _events_per_s(ground: Ground, seconds: float) -> float:
    """Batches of BATCH, four requests at a time, until the time is over."""
    event = {"timestamp": "2026-03-01T12:00:00Z", "message": "%LINK-3-UPDOWN: Interface changed state to down " * 4}
    bodies = [json.dumps([event | {"hostname": f"h{n * 31 % 997}"} for n in range(BATCH)]).encode()] * 4
    published = 0

    async def post(body: bytes) -> bool:
        nonlocal published
        async with ground.client.post(
            ground.base + "/api/v2/events", data=body, headers={"Content-Type": "application/json"}
        ) as answer:
            counts = (await answer.json()).get("counts", {})
            published += counts.get("published", 0)
            return answer.status == 202

    await until(lambda: post(bodies[0]), "the broker is found")
    published, began = 0, time.perf_counter()

    async def client(body: bytes) -> None:
        while time.perf_counter() - began < seconds:
            assert await post(body)

    await asyncio.gather(*map(client, bodies))
    return published / (time.perf_counter() - began)


def _median(values: list[float]) -> float:
    return round(statistics.median(values), 2)
