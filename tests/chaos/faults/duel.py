"""Two owners of the same records: a worker's batch arrives at the database when another has done its work."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from functools import partial

from tests.chaos.frames import BATCH
from tests.chaos.hit import BURST, IN_FLIGHT_S, MANY, Scene
from tests.chaos.late import ENDED, REFUSED, Keep, Kept, outcome, statement
from tests.chaos.owners import calls
from tests.chaos.proxy import Link
from tests.chaos.world import poll

MORE_S = 0.5
"""After the first batch that is kept back; others come in that time, one for each lane that has a transaction."""
ANSWERED_S = 10.0


async def duel(scene: Scene) -> None:
    """Batches of a worker are kept back and it is frozen, until others have committed the same records.

    Then its batches arrive, and it goes on: the compare-and-set is all that stands between them and a second row.
    """
    world, name = scene.world, scene.step.target
    link, child = world.links["postgres"], world.child(name)
    keep = Keep(BATCH, partial(calls, child.pid, link.port))
    await asyncio.to_thread(link.keep, keep)
    try:
        await _some_are_kept(scene, keep)
        child.process.send_signal(signal.SIGSTOP)
        scene.hit.found["frozen_s"] = await _others_do_it(scene, keep)
        await _arrive(scene, link, keep)
    finally:
        await asyncio.to_thread(link.let_go, keep)
        child.process.send_signal(signal.SIGCONT)
    await scene.member(name)


async def _some_are_kept(scene: Scene, keep: Keep) -> None:
    async def look() -> list[Kept]:
        scene.world.sender.more(BURST * MANY)
        return keep.kept

    await poll(look, IN_FLIGHT_S, every=0.01)
    await asyncio.sleep(MORE_S)


async def _others_do_it(scene: Scene, keep: Keep) -> float:
    """Waits until somebody else has committed what is kept back; seconds until then."""
    late = [statement(kept.message) for kept in keep.kept]
    return await scene.moved({(one.topic, one.partition): one.first for one in late})


async def _arrive(scene: Scene, link: Link, keep: Keep) -> None:
    """The server may have ended a session meanwhile, for it lets no transaction stand still: that is no duel."""
    await asyncio.to_thread(link.let_go, keep)

    async def look() -> bool:
        return all(outcome(kept.answer) for kept in keep.kept)

    await poll(look, ANSWERED_S, every=0.01)
    answers = Counter(answer for kept in keep.kept if (answer := outcome(kept.answer)))
    came = answers.total() - answers[ENDED]
    scene.hit.found |= {"late": len(keep.kept), "came": came, **answers}
    wrong = answers.keys() - {REFUSED, ENDED}
    scene.hit.effective = came > 0
    if wrong:
        scene.hit.problem = f"of {len(keep.kept)} batches of a worker that was replaced: {', '.join(sorted(wrong))}"
