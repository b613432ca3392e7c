"""The scenarios: each does something to the receiver, the database or the fleet while events pour in."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from tests.integration.load import Make
from tests.integration.pipeline import until
from tests.load.traffic import mixed, storm
from tests.load.world import World

RATE = 200.0
"""Events offered a second; half of them raise alerts."""
SECONDS = 10.0
SLOW_MS = 1600
"""With 16 posts in flight the receiver takes 10 alerts a second: a tenth of what is offered."""
STORM_MS = 100
"""A host's alerts go one after the other: of a storm 10 a second, of all other hosts all there are."""
CRAWL_S = 0.5

Act = Callable[[World], Awaitable[None]]


@dataclass(frozen=True)
class Scenario:
    """One way in which things go wrong. `act` runs while events are offered and leaves everything healthy.

    `at_least` and `at_most` say of the report's figures what shows that it happened.
    """

    name: str
    act: Act
    config: Mapping[str, str] = field(default_factory=dict)
    make: Make = mixed
    at_least: Mapping[str, float] = field(default_factory=dict)
    at_most: Mapping[str, float] = field(default_factory=dict)


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
    """429 with Retry-After: nobody posts an alert again before it is over."""
    for _ in range(3):
        world.receiver(status=429, retry_after=2)
        await asyncio.sleep(3)
        world.receiver()
        await asyncio.sleep(2)


async def slow_database(world: World) -> None:
    """Every commit of a batch takes longer."""
    pool = world.database.pool
    await pool.execute(
        "CREATE FUNCTION crawl() RETURNS trigger LANGUAGE plpgsql"
        f" AS $$ BEGIN PERFORM pg_sleep({CRAWL_S}); RETURN NULL; END $$"
    )
    await pool.execute("CREATE TRIGGER crawl AFTER UPDATE ON partition_progress EXECUTE FUNCTION crawl()")
    await asyncio.sleep(SECONDS)
    await pool.execute("DROP TRIGGER crawl ON partition_progress")


async def stormy_host(world: World) -> None:
    world.receiver(delay_ms=STORM_MS)
    await asyncio.sleep(SECONDS)
    world.receiver()


async def rebalances_while_paused(world: World) -> None:
    """A worker joins, and another is killed, all while intake is paused; each time the pauses come again."""
    world.receiver(status=503)
    await _all_paused(world, "match-1", "match-2")
    world.start("match-3")
    await _all_paused(world, "match-1", "match-2", "match-3")
    world.kill("match-1")
    await _all_paused(world, "match-2", "match-3")
    world.receiver()


async def _all_paused(world: World, *names: str) -> None:
    """Each of these workers has partitions, and every partition is paused."""

    async def they_are() -> bool:
        paused = [await world.pauses(name) for name in names]
        return min(paused) > 0 and sum(paused) == 24

    await until(they_are, f"all partitions are paused by {', '.join(names)}", within=30)


async def thresholds_change(world: World) -> None:
    """Thresholds and mode change under a slow receiver."""
    world.receiver(delay_ms=SLOW_MS)
    for warn, shed in ((50, 100), (300, 500), (100, 200)):
        await asyncio.sleep(3.5)
        await world.thresholds(warn, shed)
    await world.set(alerter_shed_mode="dlq")
    await asyncio.sleep(3)
    await world.set(alerter_shed_mode="defer")
    world.receiver()


_HELD_BACK = {"pauses": 1, "paused_s": 3, "stood_s": 3}
_SLOW = {"receiver_share": 0.15}

SCENARIOS: tuple[Scenario, ...] = (
    Scenario("slow_receiver_defer", slow_receiver, at_least=_HELD_BACK, at_most=_SLOW),
    Scenario(
        "slow_receiver_dlq", slow_receiver, {"alerter_shed_mode": "dlq"},
        at_least={"shed_share.7": 0.3, "shed_share.6": 0.01}, at_most=_SLOW | {"paused_s": 0},
    ),
    Scenario(
        "receiver_down", dead_receiver, at_least=_HELD_BACK | {"answers.503": 20, "breaker_s": 10},
        at_most={"receiver_share": 0.0, "answers.503": 200},
    ),
    Scenario("receiver_flapping", flapping_receiver, at_least={"answers.503": 40, "breaker_s": 2}),
    Scenario("receiver_throttling", throttling_receiver, at_least={"answers.429": 20}),
    Scenario("database_slow", slow_database, at_least={"decision_p50_s": CRAWL_S}),
    Scenario("storm_of_one_host", stormy_host, make=storm, at_least=_HELD_BACK, at_most={"receiver_share": 0.3}),
    Scenario("rebalance_while_paused", rebalances_while_paused, at_least=_HELD_BACK, at_most={"receiver_share": 0.0}),
    Scenario("thresholds_change", thresholds_change, at_least={"backlog_max": 300, "shed_share.7": 0.01}),
)  # fmt: skip
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
