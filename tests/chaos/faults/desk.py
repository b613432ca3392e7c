"""What operators do in the middle: other rules, another configuration, a replay."""

from __future__ import annotations

import asyncio

from tests.chaos.hit import IN_FLIGHT_S, RECOVER_S, Scene
from tests.chaos.traffic import HOSTS
from tests.chaos.world import OUTAGE, RECEIVER_MS, poll


async def rules(scene: Scene) -> None:
    waiting = await scene.work()
    scene.hit.found = {"waiting": len(waiting), "version": await scene.operator.change_rule()}
    scene.hit.effective = bool(waiting)
    await scene.moved(await scene.world.waiting())


async def config(scene: Scene) -> None:
    waiting = await scene.work()
    await scene.operator.change_key()
    scene.hit.found, scene.hit.effective = {"waiting": len(waiting)}, bool(waiting)
    await scene.moved(await scene.world.waiting())


async def replay(scene: Scene) -> None:
    """The receiver refuses one host's alerts for a while; then they are sent again, while others are on their way."""
    world = scene.world
    refused = f"h{scene.step.number % HOSTS}"
    await asyncio.to_thread(lambda: world.stack.control_sink(delay_ms=RECEIVER_MS, reject_host=refused, status=422))

    async def letters() -> int:
        world.sender.more(20)
        return await _refused(scene)

    found = await poll(letters, IN_FLIGHT_S, every=0.2)
    await asyncio.to_thread(lambda: world.stack.control_sink(delay_ms=RECEIVER_MS))
    waiting = await scene.work()
    outcome = await asyncio.to_thread(scene.operator.replay, "delivery")
    scene.hit.found = {"letters": found, "sent": outcome["sent"], "waiting": len(waiting)}
    scene.hit.effective = outcome["sent"] > 0

    async def settled() -> bool:
        return not await _refused(scene, "replaying")

    if not await poll(settled, RECOVER_S, every=0.2):
        scene.hit.problem = f"replayed alerts are not delivered within {RECOVER_S:.0f} s"


async def _refused(scene: Scene, state: str = "open") -> int:
    query = "SELECT count(*) FROM dead_letters WHERE reason = 'delivery' AND state = $1"
    try:
        return int(await scene.world.pool.fetchval(query, state, timeout=5))
    except OUTAGE:
        return 0
