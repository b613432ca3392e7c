"""`make bench ARGS="--only api"`: how long a running API takes to answer, each question over its largest table."""

from __future__ import annotations

import http.client
import json
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from ops.devstack.layout import free_port
from ops.devstack.stack import Stack
from schemas.secret_names import API_KEY
from schemas.slo import Component
from tests.bench import api_console, api_events, api_trivial
from tests.bench.report import p99
from tests.integration.api_process import process
from tests.integration.conftest import Database, empty_topics, new_database

DAYS = 30
PARTITIONS = 8
REQUESTS = 500
WARM_UP = 20

TARGETS: dict[str, float] = {"slo_v1_p99_ms": -30, "slo_v2_p99_ms": -30} | api_events.TARGETS
TARGETS |= api_console.TARGETS | api_trivial.TARGETS

_MINUTES = """
INSERT INTO sli (component, topic, partition, minute, good, total)
SELECT component, 'bench', partition, minute, 99 + partition % 2, 100
  FROM generate_series(date_trunc('minute', now()) - make_interval(days => $2), now(), interval '1 minute') AS minute,
       generate_series(0, $3 - 1) AS partition, unnest($1::text[]) AS component
 ORDER BY minute
"""
_SUMS = """
INSERT INTO sli_sums (component, step, starts_at, topic, partition, good, total)
SELECT component, step, date_bin(make_interval(mins => step), minute, 'epoch'), topic, partition, sum(good), sum(total)
  FROM sli CROSS JOIN unnest('{15,60,1440}'::smallint[]) AS step GROUP BY 1, 2, 3, 4, 5 ORDER BY 2, 3
"""


async def slo(database: Database) -> dict[str, Any]:
    """Milliseconds of both versions over 30 days of minutes: 8 partitions of 5 components."""
    async with database.pool.acquire() as connection:
        await connection.execute("ALTER TABLE sli DISABLE TRIGGER add_sums")  # a row at a time takes minutes
        await connection.execute(_MINUTES, [each.value for each in Component], DAYS, PARTITIONS, timeout=600)
        await connection.execute(_SUMS, timeout=600)
        await connection.execute("ALTER TABLE sli ENABLE TRIGGER add_sums")
        rows = await connection.fetchval("SELECT count(*) FROM sli")
        await connection.execute("VACUUM ANALYZE sli, sli_sums", timeout=600)
    settings = replace(database.settings, api_port=free_port())
    key = database.secrets.get(API_KEY)
    assert key is not None
    with process(settings) as (port, _):
        v1 = milliseconds(port, f"/api/v1/slo?window_hours={24 * DAYS}", key.reveal())
        v2 = milliseconds(port, "/api/v2/slo", key.reveal())
    return {"slo_minutes": rows} | shown("slo_v1", v1) | shown("slo_v2", v2)


PARTS: tuple[Callable[[Database], Awaitable[dict[str, Any]]], ...] = (slo,)
"""Each gets a fresh database."""


async def measure(home: Path, rows: int, seconds: float) -> dict[str, Any]:
    """The figures of every part, and those of events over `rows` audited ones, on servers of their own."""
    stack = Stack(home)
    figures: dict[str, Any] = {}
    try:
        stack.start_postgres()
        for part in PARTS:
            database = await new_database(stack)
            figures |= await part(database)
            database.pool.terminate()
            print(f"{part.__name__}: {json.dumps(figures)}", file=sys.stderr, flush=True)
        stack.start_kafka()
        empty_topics(stack)
        figures |= await api_events.measure(stack, rows, seconds)
    finally:
        stack.stop_all()
        stack.layout.purge()
    return figures


def milliseconds(port: int, path: str, key: str) -> list[float]:
    """What single requests took, one after the other on one connection, sorted."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    found = []
    for _ in range(WARM_UP + REQUESTS):
        started = time.perf_counter()
        connection.request("GET", path, headers={"X-API-KEY": key})
        answer = connection.getresponse()
        answer.read()
        found.append((time.perf_counter() - started) * 1000)
        assert answer.status == 200
    connection.close()
    return sorted(found[WARM_UP:])


def shown(name: str, found: list[float]) -> dict[str, float]:
    return {
        f"{name}_p50_ms": round(found[len(found) // 2], 2),
        f"{name}_p99_ms": p99(found, 2),
    }
