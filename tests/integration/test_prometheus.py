"""The SLI table and a real Prometheus say the same of the same traffic; the program is Debian's package prometheus."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx2
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from msgspec.structs import replace

from api.app import Doors, create_app, resources, utc_now
from api.auth import OneKey
from api.metrics import ApiMetrics
from ops.devstack.layout import free_port
from schemas.slo import Component, objectives
from streams.adapters.maintenance import PostgresMaintenance
from streams.adapters.prometheus import Prometheus
from streams.adapters.secrets import API_KEY
from streams.adapters.slo import PostgresSlo
from streams.adapters.transactions import Transactions
from streams.core.slo import windows_of
from tests.api.window import ports_of
from tests.builders import event_json
from tests.integration.api_process import get, process
from tests.integration.conftest import System
from tests.integration.forwarding import Receiver, listening
from tests.integration.pipeline import add_rule, configure, until
from tests.integration.prometheus_server import PROGRAM, prometheus
from tests.integration.topics import produce_partitions

TOPIC = "mutt.ingest.syslog"
GONE, LOST, ALERTS, BAD = 3, 7, 30, 11
"""Offsets that were gone before the start; then: gone while it ran, events that alert, records that are no JSON."""

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="prometheus is not installed (package prometheus)")


async def test_both_sources_agree_within_one_percent(system: System, tmp_path: Path) -> None:
    async with listening() as receiver:
        receiver.status = lambda number: 503 if number % 3 == 0 else 422 if number % 7 == 0 else 200
        ports = {name: free_port() for name in ("match_port", "forward_port", "api_port")}
        settings = replace(
            system.settings, prometheus_url="http://127.0.0.1:1", kafka_bootstrap=system.stack.kafka.bootstrap, **ports
        )
        await configure(system.database.pool, "moog_retry_base_delay", "0.05")
        await add_rule(system.database.pool, "link")
        system.start("match-1", match_port=ports["match_port"])
        system.start("forward-1", forward_port=ports["forward_port"], webhook_url=receiver.url)
        with process(settings), prometheus(tmp_path, list(ports.values())) as url:
            source = Prometheus(url)
            await until(lambda: sees_zeros(url), "Prometheus has scraped everything")
            await traffic(system, ports["api_port"], receiver)
            await until(lambda: settled(system, source), "both sources know of everything")
            await compare(system, url)


async def traffic(system: System, api_port: int, receiver: Receiver) -> None:
    """Good, bad and lost events; posts that fail, alerts that die; requests that fail on our side and on the caller's."""
    bootstrap = system.stack.kafka.bootstrap
    events = [event_json(message=f"link {number}", hostname=f"h{number}") for number in range(ALERTS)]
    records = [(0, b"h1", value) for value in [*events, *[b"no json"] * BAD]]
    await asyncio.to_thread(produce_partitions, bootstrap, TOPIC, records)
    key = system.database.secrets.get(API_KEY)
    assert key is not None
    headers = {"X-API-KEY": key.reveal()}
    for path, status in (
        *[("/api/v2/slo", 200)] * 20,
        *[("/api/v2/slo?source=prometheus", 502)] * 2,
        *[("/api/v2/slo?source=none", 422)] * 9,
    ):
        assert (await asyncio.to_thread(get, api_port, path, headers))[0] == status
    assert receiver.posts is not None
