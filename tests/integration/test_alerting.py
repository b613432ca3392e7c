"""From a receiver that breaks to a pager that rings: real workers, Prometheus, Alertmanager, and a webhook.

An hour of the burn rates takes 12 seconds here. The programs are Debian's packages prometheus and
prometheus-alertmanager.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from msgspec.structs import replace

from ops.devstack.layout import free_port
from ops.prometheus.local import Monitoring, installed
from schemas.secret_names import API_KEY
from tests.architecture.documents import RUNBOOK, commands
from tests.builders import event_json
from tests.integration.api_process import get, process
from tests.integration.commands import mutt
from tests.integration.conftest import System
from tests.integration.forwarding import Receiver, listening
from tests.integration.pipeline import add_rule, configure, until
from tests.integration.topics import produce_partitions

PACE, EVERY = 300, "250ms"
TOPIC = "mutt.ingest.syslog"
WAIT_S = 120.0

READING = {"pauses", "ledger show", "ledger verify", "slo show", "dlq stats", "dlq replays", "dlq list", "keys list",
           "keys failures", "config show", "rules export"}  # fmt: skip
"""Commands of the runbook that change nothing, by their first words."""


@pytest.mark.timeout(500)
@pytest.mark.skipif(not installed(), reason="prometheus or prometheus-alertmanager is not installed")
async def test_a_burning_budget_rings_and_is_taken_back(system: System, tmp_path: Path) -> None:
    ports = {role: free_port() for role in ("match", "forward", "dead-letters", "api")}
    await prepare(system)
    async with listening() as receiver, listening_pager() as (pager, notes):
        start_workers(system, ports, receiver)
        with monitoring(tmp_path, pager, ports) as watch:
            served = replace(system.settings, prometheus_url=watch.prometheus_url, api_port=ports["api"])
            with process(served):
                feeding = asyncio.create_task(feed(system))
                try:
                    await until(lambda: posted(watch), "Prometheus sees that all is well", within=WAIT_S)
                    receiver.status = lambda _: 503
                    await until(lambda: told(notes, "firing"), "the pager rings", within=WAIT_S)
                    receiver.status = lambda _: 200
                    await until(lambda: told(notes, "resolved"), "it is taken back", within=WAIT_S)
                finally:
                    feeding.cancel()
                await assert_agreement(system, ports["api"])
        await assert_the_runbook_reads(system)
    page = next(note for note in notes if note["status"] == "firing" and note["labels"]["severity"] == "page")
    assert page["labels"]["objective"] == "alert-delivery"
    assert page["annotations"]["runbook_url"] == "docs/RUNBOOK.md#an-error-budget-burns"
    assert page["annotations"]["summary"].startswith("alert-delivery: the error budget burns ")


async def prepare(system: System) -> None:
    pool = system.database.pool
    await add_rule(pool, "link")
    await configure(pool, "moog_retry_base_delay", "0.05")
    await configure(pool, "moog_retry_max_delay", "0.5")
    await configure(pool, "circuit_breaker_threshold", "10000")  # an open breaker posts nothing, so nothing burns


def start_workers(system: System, ports: dict[str, int], receiver: Receiver) -> None:
    system.start("match-1", match_port=ports["match"])
    system.start("forward-1", forward_port=ports["forward"], webhook_url=receiver.url)
    system.start("dead-letters-1", dead_letters_port=ports["dead-letters"], webhook_url=receiver.url)


@contextmanager
def monitoring(folder: Path, pager: str, ports: dict[str, int]) -> Iterator[Monitoring]:
    watch = Monitoring(folder, pager=pager, pace=PACE, every=EVERY)
    for role, port in ports.items():
        watch.show(role, [port])
    try:
        watch.start()
        yield watch
    finally:
        watch.stop()


@asynccontextmanager
async def listening_pager() -> AsyncIterator[tuple[str, list[dict[str, Any]]]]:
    """Where Alertmanager posts to, and the alerts that it posted."""
    notes: list[dict[str, Any]] = []

    async def take(request: web.Request) -> web.Response:
        notes.extend((await request.json())["alerts"])
        return web.Response()

    app = web.Application()
    app.router.add_post("/pages", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/pages", notes
    finally:
        await runner.cleanup()


async def feed(system: System) -> None:
    """Ten events a second that alert, until cancelled."""
    number = 0
    while True:
        events = [event_json(message=f"link {number} {each}", hostname=f"h{each}") for each in range(5)]
        records = [(each, b"h", event) for each, event in enumerate(events)]
        await asyncio.to_thread(produce_partitions, system.stack.kafka.bootstrap, TOPIC, records)
        number += 1
        await asyncio.sleep(0.5)


async def posted(watch: Monitoring) -> bool:
    """All parts are scraped, the windows that matter have something to say, and no alert is even pending."""
    up = await asyncio.to_thread(watch.ask, 'sum(up{job=~"mutt-.+"})')
    burns = await asyncio.to_thread(watch.ask, 'mutt:objective_burn_rate:ratio{objective="alert-delivery",window="5m"}')
    alerts = await asyncio.to_thread(watch.ask, "ALERTS")
    return [value for _, value in up] == [4.0] and [value for _, value in burns] == [0.0] and not alerts


async def told(notes: list[dict[str, Any]], status: str) -> bool:
    return any(
        note["status"] == status
        and note["labels"]["alertname"] == "MuttBudgetBurns"
        and note["labels"]["objective"] == "alert-delivery"
        and note["labels"]["severity"] == "page"
        for note in notes
    )


async def assert_agreement(system: System, port: int) -> None:
    """/api/v1/slo says the same from both sources, once the last minute is written and scraped."""
    key = system.database.secrets.get(API_KEY)
    assert key is not None
    headers = {"X-API-KEY": key.reveal()}

    async def agreed() -> bool:
        table, other = [
            (await asyncio.to_thread(get, port, f"/api/v1/slo?source={source}", headers))[1]["components"]["forwarder"]
            for source in ("database", "prometheus")
        ]
        return bool(
            0 < table["availability"] < 1
            and other["availability"] == pytest.approx(table["availability"], rel=0.02)
            and other["state"] == table["state"]
        )

    await until(agreed, "the table and Prometheus agree", within=WAIT_S)


async def assert_the_runbook_reads(system: System) -> None:
    """What the runbook says to look at can be looked at."""
    typed = {" ".join(words): words for words in commands(RUNBOOK, "mutt") if " ".join(words[:2]) in READING}
    typed |= {"pauses": ["pauses"], "config show": ["config", "show"]}
    assert len(typed) > 12
    done = {
        line: await asyncio.to_thread(mutt, system.database, system.stack, *words)
        for line, words in typed.items()
        if "…" not in line
    }
    assert {line: (one.returncode, one.stderr) for line, one in done.items() if one.returncode} == {}
