"""Scenarios of a backlog that holds intake back, or sheds."""

from __future__ import annotations

import asyncio

from ops.devstack.layout import free_port
from tests.integration.pipeline import add_rule, gauge, until
from tests.planted.conditions import MANY
from tests.planted.events import alerting, mixed
from tests.planted.match_scenarios import ROOMY, rules
from tests.planted.world import World

EACH_SEVERITY = tuple(range(8))
PENDING = "SELECT count(*) FROM alerts WHERE state = 'pending'"
MOST_PENDING = 1000
"""Thresholds of 40 alerts, and what the lanes of two workers take beyond them at most; far more are published."""


async def shed(world: World) -> None:
    """Far more alerts than may wait, of every severity, and nobody takes them."""
    await world.set(alerter_queue_hard_limit=10**8, alerter_queue_warn_threshold=5, alerter_queue_shed_threshold=10)
    await add_rule(world.pool, "link down")
    await world.publish(alerting(160, severities=EACH_SEVERITY))
    worker = world.start("match")
    await world.settle()
    await world.stop(worker)


async def pauses(world: World) -> None:
    """The operator stops intake when a poll is in hand, and lets it go on."""
    await rules(world)
    port = free_port()
    worker = world.start("match", condition="paused_in_a_poll", match_port=port)
    await world.publish(mixed(10))
    await world.settle()
    await world.publish(mixed(1000, first=10))
    await world.set(ingest_paused="true")
    await world.wait(lambda: _shows(port, "mutt_records_held", MANY), "the poll was handed on, and is held")
    await world.set(ingest_paused="false")
    await world.publish(mixed(100, first=1010))
    await world.settle()
    await world.stop(worker)


async def _shows(port: int, name: str, least: float) -> bool:
    return await asyncio.to_thread(gauge, port, name) >= least


async def rebalance(world: World) -> None:
    """Intake is held back by its backlog when a second worker joins."""
    await world.set(alerter_queue_hard_limit=100, alerter_queue_shed_threshold=40, alerter_queue_warn_threshold=20,
                    alerter_shed_mode="defer")  # fmt: skip
    await add_rule(world.pool, "link down")
    await world.publish(alerting(4000, hosts=4))
    world.caps["pending"] = MOST_PENDING
    workers = [world.start("match")]
    await until(lambda: _held(world, 1), "the worker is held back")
    workers.append(world.start("match", number=2))
    await until(lambda: _held(world, 2), "both are held back, or intake goes on beyond the cap")
    world.sample(pending=await world.pool.fetchval(PENDING))
    await world.set(**ROOMY, alerter_queue_warn_threshold=10**6)
    await world.settle()
    for worker in workers:
        await world.stop(worker)


async def _held(world: World, workers: int) -> bool:
    """So many workers hold all their partitions for the backlog; or there is no holding any more."""
    held = await world.pool.fetch("SELECT worker FROM partition_pauses WHERE reason = 'backlog' GROUP BY worker")
    pending = await world.pool.fetchval(PENDING)
    world.sample(pending=pending)
    return len(held) == workers or pending > MOST_PENDING
