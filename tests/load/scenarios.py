"""The scenarios: each does something to the receiver, the database or the fleet while events pour in."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tests.load.world import World

RATE = 400.0
"""Events offered a second; half of them raise alerts."""
SECONDS = 14.0
SLOW_MS = 1600
"""With 32 posts in flight the receiver takes 20 alerts a second: a tenth of what is offered."""

Act = Callable[[World], Awaitable[None]]


@dataclass(frozen=True)
class Scenario:
    """One way in which things go wrong. `act` runs while events are offered and leaves everything healthy."""

    name: str
    act: Act
    config: dict[str, str] = field(default_factory=dict)
    hosts: int = 60
    pauses: bool = False
    """Intake must have paused for the backlog."""
    sheds: bool = False
    """Events must have been shed."""


async def slow_receiver(world: World) -> None:
    world.receiver(delay_ms=SLOW_MS)
    await asyncio.sleep(SECONDS)
    world.receiver()


async def dead_receiver(world: World) -> None:
    world.receiver(status=503)
    await asyncio.sleep(20)
    world.receiver()


async def flapping_receiver(world: World) -> None:
    for _ in range(4):
        world.receiver(status=503)
        await asyncio.sleep(2)
        world.receiver()
        await asyncio.sleep(2)


async def throttling_receiver(world: World) -> None:
    """429 with Retry-After: nobody posts before it is over."""
    for _ in range(3):
        world.receiver(status=429, retry_after=2)
        await asyncio.sleep(3)
        world.receiver()
        await asyncio.sleep(2)


async def slow_database(world: World) -> None:
    """Every commit takes 300 ms longer."""
    pool = world.database.pool
    await pool.execute(
        "CREATE FUNCTION crawl() RETURNS trigger LANGUAGE plpgsql"
        " AS $$ BEGIN PERFORM pg_sleep(0.3); RETURN NULL; END $$"
    )
    await pool.execute("CREATE TRIGGER crawl AFTER UPDATE ON partition_progress EXECUTE FUNCTION crawl()")
    await asyncio.sleep(SECONDS)
    await pool.execute("DROP TRIGGER crawl ON partition_progress")


async def rebalances_while_paused(world: World) -> None:
    """A worker joins, another is killed and replaced, all while intake is paused."""
    world.receiver(status=503)
    await asyncio.sleep(6)
    world.start("match-3")
    await asyncio.sleep(5)
    victim = world.stack.children["match-1"]
    victim.process.kill()
    victim.process.wait()
    world.start("match-1")
    await asyncio.sleep(6)
    world.receiver()


async def thresholds_change(world: World) -> None:
    """Thresholds and mode change under a slow receiver; the hard limit keeps its distance."""
    world.receiver(delay_ms=SLOW_MS)
    for warn, shed in ((50, 100), (300, 600), (100, 200)):
        await asyncio.sleep(4)
        low_first = shed < int(world.config["alerter_queue_shed_threshold"])
        keys = {"alerter_queue_warn_threshold": str(warn), "alerter_queue_shed_threshold": str(shed)}
        await world.set(**dict(sorted(keys.items(), reverse=low_first)))
    await world.set(alerter_shed_mode="dlq")
    await asyncio.sleep(3)
    await world.set(alerter_shed_mode="defer")
    world.receiver()


SCENARIOS: tuple[Scenario, ...] = (
    Scenario("slow_receiver_defer", slow_receiver, pauses=True),
    Scenario("slow_receiver_dlq", slow_receiver, {"alerter_shed_mode": "dlq"}, sheds=True),
    Scenario("receiver_down", dead_receiver, pauses=True),
    Scenario("receiver_flapping", flapping_receiver),
    Scenario("receiver_throttling", throttling_receiver),
    Scenario("database_slow", slow_database),
    Scenario("storm_of_one_host", slow_receiver, hosts=1, pauses=True),
    Scenario("rebalance_while_paused", rebalances_while_paused, pauses=True),
    Scenario("thresholds_change", thresholds_change, sheds=True),
)
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
