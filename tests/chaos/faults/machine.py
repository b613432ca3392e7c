"""Faults of a machine: its disk is full, its clock is off."""

from __future__ import annotations

import asyncio

from tests.chaos.hit import Scene


async def disk(scene: Scene) -> None:
    """PostgreSQL has no room for some seconds; where it ended itself for that, it is started again."""
    world, stack = scene.world, scene.world.stack
    assert stack.disk is not None
    waiting = await scene.work()
    await asyncio.to_thread(stack.disk.fill)
    try:
        world.sender.allow(200)
        await asyncio.sleep(scene.step.seconds)
        stuck = await world.waiting()
    finally:
        stack.disk.empty()
    server = stack.postgres.child
    ended = server is not None and not server.running
    if ended:
        await asyncio.to_thread(world.start_server, "postgres")
    scene.hit.found = {"waiting": len(waiting), "stuck": len(stuck), "server_ended": ended}
    scene.hit.effective = bool(stuck) or ended
    await scene.moved(await world.waiting())


async def clock(scene: Scene) -> None:
    """The worker's clock jumps, and stays there."""
    assert scene.world.stack.clock is not None
    waiting = await scene.work()
    scene.world.stack.clock.shows(scene.step.amount)
    scene.hit.found, scene.hit.effective = {"waiting": len(waiting), "offset_s": scene.step.amount}, bool(waiting)
    await scene.moved(await scene.world.waiting())
