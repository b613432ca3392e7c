"""Faults of processes: killed, ended, frozen; servers killed and started again."""

from __future__ import annotations

import asyncio
import signal
import time

from tests.chaos.checker import committed_offsets
from tests.chaos.hit import IN_FLIGHT_S, MANY, RECOVER_S, Scene
from tests.chaos.plan import MATCHERS
from tests.chaos.world import poll
from tests.integration.topics import end_offsets

DRAIN_S = 12.0
"""A worker that is told to end has drained in 10 s."""
DLQ = "mutt.dlq"
EVERYWHERE = 150
"""So many records come to every partition, those of one that went among them."""


async def kill(scene: Scene) -> None:
    target = scene.step.target
    if target in MATCHERS:
        return await _kill_matcher(scene)
    if target == "dead-letters-1":
        return await _kill_index(scene)
    if target in ("forward-1", "receiver"):
        return await _kill_delivery(scene)
    if target == "api":
        return await _kill_api(scene)
    return await _kill_server(scene)


async def _kill_matcher(scene: Scene) -> None:
    world, name = scene.world, scene.step.target
    await scene.work(MANY)
    began = time.monotonic()
    world.kill(name)
    waiting = await world.waiting()
    world.start_again(name)
    victims = await scene.of_victim(waiting)
    scene.hit.effective = bool(victims)
    scene.hit.found = {"waiting": len(waiting), "of_victim": len(victims)}
    await scene.moved(victims)
    if victims:
        scene.hit.takeover_s = round(time.monotonic() - began, 2)


async def _kill_delivery(scene: Scene) -> None:
    """The forwarder or the receiver, with alerts on their way."""
    pending = await scene.alerts()
    began = time.monotonic()
    scene.world.kill(scene.step.target)
    scene.hit.found = {"alerts": pending}
    scene.hit.effective = pending > 0
    scene.world.start_again(scene.step.target)
    await scene.delivering()
    if scene.step.target == "forward-1":
        scene.hit.takeover_s = round(time.monotonic() - began, 2)


async def _kill_index(scene: Scene) -> None:
    """With letters on their topic that it has not confirmed yet."""
    bootstrap = scene.world.stack.kafka.bootstrap

    async def lag() -> int:
        scene.world.sender.more(30)
        return await asyncio.to_thread(_lag, bootstrap)

    found = await poll(lag, IN_FLIGHT_S, every=0.05)
    scene.world.kill(scene.step.target)
    scene.hit.found, scene.hit.effective = {"letters": found}, found > 0
    scene.world.start_again(scene.step.target)

    async def caught_up() -> bool:
        scene.world.look_after()
        return not await asyncio.to_thread(_lag, bootstrap)

    if not await poll(caught_up, RECOVER_S, every=0.2):
        scene.hit.problem = f"{DLQ} is not indexed within {RECOVER_S:.0f} s"


def _lag(bootstrap: str) -> int:
    done = committed_offsets(bootstrap, "mutt-dead-letters")
    return sum(end - done.get((DLQ, partition), 0) for partition, end in end_offsets(bootstrap, DLQ).items())


async def _kill_api(scene: Scene) -> None:
    """With a write that is not answered yet; the one who asks asks again."""
    operator = scene.operator

    async def asking() -> bool:
        return operator.asking > 0 and operator.changed > 0

    async with operator.busy():
        scene.hit.effective = bool(await poll(asking, IN_FLIGHT_S, every=0.001))
        scene.world.kill("api")
        changed = operator.changed
        scene.hit.found = {"asking": operator.asking, "changed": changed}
        scene.world.start_again("api")

        async def answered() -> bool:
            return operator.changed > changed

        if not await poll(answered, RECOVER_S, every=0.05):
            scene.hit.problem = f"no write was answered within {RECOVER_S:.0f} s"


async def _kill_server(scene: Scene) -> None:
    """PostgreSQL or Kafka, with work in flight; started again at once."""
    world = scene.world
    await scene.work()
    waiting = await world.waiting()
    if scene.step.target == "postgres":
        await asyncio.to_thread(world.kill_postgres)
    else:
        await asyncio.to_thread(world.stack.kafka.kill)
    await asyncio.to_thread(world.start_server, scene.step.target)
    stands = await world.stands() or {}
    victims = {at: max(was, stands.get(at, was)) for at, was in waiting.items()}
    victims = {at: was for at, was in victims.items() if world.sender.ends[at] > was}
    scene.hit.found, scene.hit.effective = {"waiting": len(waiting)}, bool(waiting)
    took = await scene.moved(victims)
    if scene.step.target == "postgres" and victims:
        scene.hit.accepted_s = took


async def term(scene: Scene) -> None:
    """SIGTERM: drained in time, status 0, and others take over before it is started again."""
    world, name = scene.world, scene.step.target
    await poll(lambda: world.begun(name), RECOVER_S, every=0.1)
    waiting = await scene.work()
    pending = await world.pending_alerts()
    world.wanted.discard(name)
    began = time.monotonic()
    status = await asyncio.to_thread(world.child(name).stop, 30.0)
    took = round(time.monotonic() - began, 2)
    if status != 0 or took > DRAIN_S:
        scene.hit.problem = f"{name} ended with status {status} after {took} s"
    scene.hit.found = {"waiting": len(waiting), "alerts": pending, "drained_s": took}
    scene.hit.effective = bool(waiting)
    if name in MATCHERS:
        scene.hit.found["stood_s"] = await scene.moved(await scene.spread(EVERYWHERE))
    world.start_again(name)
    await scene.moved(await scene.world.waiting())


async def freeze(scene: Scene) -> None:
    """SIGSTOP until others have all its partitions, then SIGCONT: a zombie with records in hand."""
    world, name = scene.world, scene.step.target
    await scene.work(MANY)
    child = world.child(name)
    child.process.send_signal(signal.SIGSTOP)
    try:
        victims = await scene.of_victim(await world.waiting())
        scene.hit.found, scene.hit.effective = {"of_victim": len(victims)}, bool(victims)
        took = await scene.moved(victims)
    finally:
        child.process.send_signal(signal.SIGCONT)
    scene.hit.found["frozen_s"] = took
    await scene.member(name)
