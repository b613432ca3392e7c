"""Scenarios of what operators do: replays, configuration, and a database that lets nobody in."""

from __future__ import annotations

import asyncpg

from ops.devstack.processes import Child
from schemas.secret_names import DB_PASSWORD
from tests.integration.pipeline import until
from tests.planted.events import mixed
from tests.planted.match_scenarios import ROOMY, rules
from tests.planted.pressure_scenarios import shed
from tests.planted.world import World


async def replayed_twice(world: World) -> None:
    """A replay dies when its letters are sent, and is resumed before anybody judged them: each lies there twice."""
    await shed(world)
    await world.set(**ROOMY)
    await world.command("dlq", "replay", "--reason", "shed", "--yes", crash="replay_sent")
    replay = await world.pool.fetchval("SELECT id FROM replays")
    await world.command("dlq", "replay", "--resume", str(replay), "--yes")
    worker = world.start("match")
    await world.settle()
    await world.stop(worker)


async def key_changed(world: World) -> None:
    """An operator sets a key, and sets it again."""
    for value in ("30", "60"):
        await world.command("config", "set", f"remediation_interval={value}", "--actor", "ann")


async def database_closed(world: World) -> None:
    """PostgreSQL lets nobody in for a while."""
    world.canaries = ((world.stack.layout.secrets / DB_PASSWORD).read_text().strip(),)
    await rules(world)
    await world.publish(mixed(100))
    worker = world.start("match")
    await world.settle()
    elsewhere = await asyncpg.connect(world.database.dsn.replace(f"/{world.name}", "/postgres"))
    try:
        await elsewhere.execute(f'ALTER DATABASE "{world.name}" ALLOW_CONNECTIONS false')
        await elsewhere.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", world.name)
        await world.publish(mixed(100, first=100))
        for told in ('"waiting"', "not listening for changes"):
            await until(lambda told=told: _says(worker, told), f"the worker says: {told}")  # type: ignore[misc]
    finally:
        await elsewhere.execute(f'ALTER DATABASE "{world.name}" ALLOW_CONNECTIONS true')
        await elsewhere.close()
    await world.pool.expire_connections()
    await world.settle()
    await world.stop(worker)


async def _says(worker: Child, text: str) -> bool:
    return text in worker.tail(8000)
