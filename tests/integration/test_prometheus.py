"""The SLI table and a real Prometheus say the same of the same traffic; the program is Debian's package prometheus."""

from __future__ import annotations

import asyncio
import json
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import httpx2
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from msgspec.structs import replace

from api.app import Doors, create_app, resources, some_ports, utc_now
from api.auth import OneKey
from api.metrics import ApiMetrics
from ops.devstack.layout import free_port
from schemas.secret_names import API_KEY
from schemas.slo import objectives
from streams.adapters.maintenance import PostgresMaintenance
from streams.adapters.prometheus import Prometheus
from streams.adapters.slo import PostgresSlo
from streams.adapters.transactions import Transactions
from streams.core.slo import duration
from tests.builders import event_json
from tests.integration.api_process import get, process
from tests.integration.conftest import System
from tests.integration.forwarding import listening
from tests.integration.pipeline import add_rule, configure, until
from tests.integration.prometheus_server import PROGRAM, prometheus
from tests.integration.topics import produce_partitions

TOPIC = "mutt.ingest.syslog"
GONE, ALERTS, BAD = 5, 40, 11
"""Offsets that are gone from the log before they are read, events that alert, records that are no JSON."""
ASKED = {"/api/v2/slo": (200, 20), "/api/v2/slo?source=prometheus": (502, 2), "/api/v2/slo?source=none": (422, 9)}
"""Of the API: its answer, and how often it is asked. Its own Prometheus is away; the last are faults of callers."""
NOWHERE = "http://127.0.0.1:1"


@pytest.mark.skipif(PROGRAM is None, reason="prometheus is not installed (package prometheus)")
async def test_both_sources_agree_within_one_percent(system: System, tmp_path: Path) -> None:
    await prepare(system)
    async with listening() as receiver:
        receiver.status = lambda number: 503 if number % 3 == 0 else 422 if number % 7 == 0 else 200
        ports = {name: free_port() for name in ("match_port", "forward_port", "api_port")}
        system.start("match-1", match_port=ports["match_port"])
        system.start("forward-1", forward_port=ports["forward_port"], webhook_url=receiver.url)
        served = replace(system.settings, prometheus_url=NOWHERE, api_port=ports["api_port"])
        with process(served), prometheus(tmp_path, list(ports.values())) as url:
            await until(lambda: sees_all(url), "Prometheus has seen every counter at zero")
            await configure(system.database.pool, "ingest_paused", "false")
            await asyncio.to_thread(ask_the_api, system, ports["api_port"])
            await until(lambda: counted(system), "the table knows of everything")
            await until(lambda: agree(system, url), "both say the same")


async def prepare(system: System) -> None:
    """Records that wait for a worker whose intake is paused; the first of them are gone when it comes to read them."""
    pool, bootstrap = system.database.pool, system.stack.kafka.bootstrap
    await configure(pool, "moog_retry_base_delay", "0.05")
    await configure(pool, "ingest_paused", "true")
    await add_rule(pool, "link")
    await pool.execute("INSERT INTO partition_progress (topic, partition, next_offset) VALUES ($1, 0, 0)", TOPIC)
    events = [event_json(message=f"link {number}", hostname=f"h{number}") for number in range(GONE + ALERTS)]
    records = [(0, b"h", value) for value in [*events, *[b"no json"] * BAD]]
    await asyncio.to_thread(produce_partitions, bootstrap, TOPIC, records)
    admin = AdminClient({"bootstrap.servers": bootstrap})
    (answer,) = admin.delete_records([TopicPartition(TOPIC, 0, GONE)]).values()
    await asyncio.to_thread(answer.result)


def ask_the_api(system: System, port: int) -> None:
    key = system.database.secrets.get(API_KEY)
    assert key is not None
    for path, (status, times) in ASKED.items():
        for _ in range(times):
            assert get(port, path, {"X-API-KEY": key.reveal()})[0] == status


async def sees_all(url: str) -> bool:
    """An increase needs two samples: from then on nothing is missed."""
    totals = [objective.queries(duration("5m"))[1] for objective in objectives().values()]
    return all([await asyncio.to_thread(sample, url, query) is not None for query in totals])


def sample(url: str, query: str) -> float | None:
    with urllib.request.urlopen(f"{url}/api/v1/query?{urllib.parse.urlencode({'query': query})}", timeout=5) as answer:
        result = json.load(answer)["data"]["result"]
    return float(result[0]["value"][1]) if result else None


async def counted(system: System) -> bool:
    rows = await system.database.pool.fetch("SELECT component, sum(total)::int AS total FROM sli GROUP BY 1")
    totals = {row["component"]: row["total"] for row in rows}
    waiting = await system.database.pool.fetchval("SELECT count(*) FROM alerts WHERE state = 'pending'")
    wanted = {"ingestor": GONE + ALERTS, "audit": GONE + ALERTS + BAD, "alert_latency": ALERTS, "api": 22}
    return not waiting and totals.pop("forwarder", 0) > ALERTS and totals == wanted


async def agree(system: System, url: str) -> bool:
    """Every objective over the window and over the last hour; Prometheus has at last scraped what came last."""
    table, other = [await standings(system, url, source) for source in ("database", "prometheus")]
    assert [item["availability"] < 1 for item in table] == [True] * len(objectives())
    return all(
        there["total"] > 0.9 * here["total"]
        and there["availability"] == pytest.approx(here["availability"], rel=0.01)
        and there["burn_rate"] == pytest.approx(here["burn_rate"], rel=0.01)
        and there["burn_rates"][0]["long"] == pytest.approx(here["burn_rates"][0]["long"], rel=0.01)
        for here, there in zip(table, other, strict=True)
    )


async def standings(system: System, url: str, source: str) -> list[dict[str, Any]]:
    """From an API of its own each time: what Prometheus said a moment ago is not what counts here."""
    transactions = Transactions(system.database.pool)
    ports = some_ports(
        metrics=ApiMetrics(),
        checks={},
        slo=PostgresSlo(transactions),
        maintenance=PostgresMaintenance(transactions),
        prometheus=Prometheus(url),
        now=utc_now,
    )
    app = create_app(resources(ports), Doors(authenticator=OneKey(None)), ports.metrics)
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answer = await client.get("/api/v2/slo", params={"source": source})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found
