"""Scenarios of the forwarder and the receiver."""

from __future__ import annotations

import asyncio

from tests.integration.pipeline import add_rule, until
from tests.planted.events import alerting
from tests.planted.world import World

HOSTS, ALERTS = 5, 30
QUICK = {
    "moog_retry_base_delay": "0.1",
    "moog_retry_max_delay": 1,
    "moog_rate_limit": 1000,
    "circuit_breaker_threshold": 1000,
    "circuit_breaker_timeout": 1,
}


async def receiver_fails(world: World) -> None:
    """The receiver refuses our login, then is out of order, then takes everything."""
    await _alerts(world)
    await asyncio.to_thread(world.stack.control_sink, status=401)
    workers = [world.start("match"), world.start("forward")]
    await until(lambda: _answered(world, 401, 2 * HOSTS), "the login is refused")
    await asyncio.to_thread(world.stack.control_sink, status=503)
    await until(lambda: _answered(world, 503, 3 * HOSTS), "the receiver fails")
    await asyncio.to_thread(world.stack.control_sink)
    await _delivered(world)
    for worker in workers:
        await world.stop(worker)


async def forwarder_killed(world: World) -> None:
    """The forwarder is killed while the receiver is out of order."""
    await _alerts(world)
    await asyncio.to_thread(world.stack.control_sink, status=503)
    workers = [world.start("match"), world.start("forward")]
    await until(lambda: _answered(world, 503, 8 * HOSTS), "the receiver fails")
    await world.kill(workers.pop())
    await asyncio.to_thread(world.stack.control_sink)
    workers.append(world.start("forward", number=2))
    await _delivered(world)
    for worker in workers:
        await world.stop(worker)


async def _alerts(world: World) -> None:
    await world.set(**QUICK)
    await add_rule(world.pool, "link down")
    await world.publish(alerting(ALERTS, hosts=HOSTS))


async def _answered(world: World, status: int, count: int) -> bool:
    """So many posts of this world were answered so; or nothing is left to be posted."""
    posts = await asyncio.to_thread(world.posts)
    return sum(post["status"] == status for post in posts) >= count or (bool(posts) and await _settled(world))


async def _settled(world: World) -> bool:
    query = "SELECT count(*) = $1 AND bool_and(state <> 'pending') FROM alerts"
    return bool(await world.pool.fetchval(query, ALERTS))


async def _delivered(world: World) -> None:
    await world.settle()
    await world.wait(lambda: _settled(world), "every alert is delivered or dead")
