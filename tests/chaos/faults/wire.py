"""Faults of connections, through the proxy."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from itertools import cycle, islice

from tests.chaos.frames import COMMIT, PRODUCE
from tests.chaos.hit import IN_FLIGHT_S, Scene
from tests.chaos.owners import calls
from tests.chaos.plan import Step
from tests.chaos.proxy import Fault, Link, Trap
from tests.chaos.world import poll

LASTING: dict[str, Callable[[Step], Fault]] = {
    "delay": lambda step: Fault(delay_s=step.amount),
    "trickle": lambda step: Fault(rate=step.amount),
    "black_hole": lambda step: Fault(black_hole=True),
}
SHARES = (1.0, 0.0, 1.0, 0.0, 1.0)
"""Of a COMMIT: as often sent and its answer taken away, as swallowed."""
PRODUCED = ((0.5, True), (0.5, False), (1.0, True), (1.0, False))
"""Of a produce request, and whether it is a worker's or the producer's of the run."""


async def wire(scene: Scene) -> None:
    """Does it while something is on its way, and waits until all is well again."""
    link = scene.world.links[scene.step.target]
    async with AsyncExitStack() as meanwhile:
        if scene.step.target == "api":
            await meanwhile.enter_async_context(scene.operator.busy())
        waiting = await scene.work()
        alerts = await scene.alerts() if scene.step.target == "receiver" else 0
        before = sum(link.passed.values())
        hit = await _do(scene, link)
        scene.hit.found = {"waiting": len(waiting), "alerts": alerts, "connections": hit, "bytes_before": before}
        scene.hit.effective = hit > 0 and (alerts > 0 if scene.step.target == "receiver" else bool(waiting))
    await scene.moved(await scene.world.waiting())
    if scene.step.target == "receiver":
        await scene.delivering()


async def _do(scene: Scene, link: Link) -> int:
    """Returns how many connections it hit."""
    step = scene.step
    if step.do == "flip":
        return await _flip(scene, link)
    if step.do in LASTING:
        hit = await asyncio.to_thread(link.suffer, LASTING[step.do](step))
    elif step.do == "refuse":
        hit = await asyncio.to_thread(link.down)
    else:
        hit = await asyncio.to_thread({"cut": link.cut, "reset": link.reset, "half_close": link.half_close}[step.do])
    if step.seconds:
        scene.world.sender.allow(30)
        await asyncio.sleep(step.seconds)
        await asyncio.to_thread(link.heal)
    return hit


async def _flip(scene: Scene, link: Link) -> int:
    """One bit on its way to the server: of a produce request, or of an alert."""
    if scene.step.target == "kafka":
        return int(await _trapped(scene, Trap(PRODUCE, flip=True, client=_whose(link, worker=True))))
    await asyncio.to_thread(link.flip, "up")

    async def flipped() -> bool:
        scene.world.sender.more(10)
        return not link.flips_left

    return int(await poll(flipped, IN_FLIGHT_S, every=0.1))


async def commit_cut(scene: Scene) -> None:
    await _cuts(scene, [Trap(COMMIT, forward=share) for share in SHARES])


async def produce_cut(scene: Scene) -> None:
    link = scene.world.links["kafka"]
    await _cuts(scene, [Trap(PRODUCE, forward=share, client=_whose(link, worker)) for share, worker in PRODUCED])


def _whose(link: Link, worker: bool) -> Callable[[int], bool]:
    """By its port: whether it is a worker, or the producer, which runs here."""
    return lambda port: calls(os.getpid(), link.port, port) != worker


async def _cuts(scene: Scene, traps: Sequence[Trap]) -> None:
    sprung = [await _trapped(scene, trap) for trap in islice(cycle(traps), scene.step.times)]
    scene.hit.found, scene.hit.effective = {"cuts": sum(sprung)}, all(sprung)
    await scene.moved(await scene.world.waiting())


async def _trapped(scene: Scene, trap: Trap) -> bool:
    """Sets a trap and sends until it springs."""
    link = scene.world.links[scene.step.target]
    await asyncio.to_thread(link.set_trap, trap)

    async def sprung() -> bool:
        if not trap.sprung.is_set():
            scene.world.sender.more(5)
        return trap.sprung.is_set()

    return bool(await poll(sprung, IN_FLIGHT_S, every=0.05))
