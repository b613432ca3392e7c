"""The workers of one history: they start, die, stand still, stop, and are started again."""

from __future__ import annotations

from typing import Any

from tests.histories.broker import Place
from tests.histories.loop import Process
from tests.histories.scene import Scene
from tests.histories.versions import Versions
from tests.histories.workers import CAPS, POLLED, SimForward, SimMatch, SimWorker, Site

RESTART_S, EXPELLED_S = 0.2, 0.25
MOST_HELD = CAPS.held_records + 3 * POLLED
"""Records in lanes: the cap, and one poll each of what was taken at once."""


class Members:
    """`workers` live, or will be noticed to be dead; `processes` are all there ever were."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.versions = Versions(scene, self._tell)
        self.workers: list[Any] = []
        self.processes: list[Process] = []
        self.over = False
        """Nobody is started again."""
        self._names = 0
        self._site = Site(
            scene.loop, scene.servers, scene.random, scene.clock, lambda: self.versions.newest, self._died,
            self._killed, self._polled, self._committed,
        )  # fmt: skip

    def start(self, role: str) -> None:
        self._names += 1
        name, group = f"{role}-{self._names}", self._scene.group(role)
        worker: Any
        if role == "match":
            worker = SimMatch(name, self._site, group, presses=self._scene.plan.presses)
        else:
            worker = SimForward(name, self._site, group)
        self.workers.append(worker)
        self.processes.append(worker.process)
        worker.start()

    def of(self, role: str, number: int) -> Any:
        """One that lives, or None."""
        group = self._scene.group(role)
        alive = [worker for worker in self.workers if worker.group is group and not worker.process.dead]
        return alive[number % len(alive)] if alive else None

    def _tell(self) -> None:
        """What changed reaches each worker at a time of its own."""
        loop, random = self._scene.loop, self._scene.random
        for worker in self.workers:
            loop.call_later(0.3 * random.random(), worker.knows, self.versions.newest, context=worker.process.context)

    # -- what workers tell of themselves ------------------------------------------------------------------------

    def _killed(self, worker: SimWorker) -> None:
        """The broker notices after a while; a supervisor starts another."""
        if self.over:
            return
        scene = self._scene
        if not worker.stopping:
            scene.effects["crash with work in hand" if _in_hand(worker) else "crash"] += 1
        worker.end()
        self.workers.remove(worker)
        scene.loop.outside(EXPELLED_S, worker.group.leave, worker)
        scene.loop.outside(RESTART_S * 2 * scene.random.random(), self.start, _role(worker))

    def _died(self, worker: SimWorker, error: BaseException) -> None:
        self._scene.seen.append(("died", worker.name_of_worker, repr(error)))
        worker.process.kill()

    def _polled(self, worker: SimWorker, place: Place, records: int) -> None:
        if not isinstance(worker, SimMatch):
            return
        held, seen = worker._lanes.held_records, self._scene.seen
        if held > MOST_HELD:
            seen.append(("cap", str(place), f"{held} records held"))
        if worker._intake._held and place not in worker._pauses.wanted:
            seen.append(("cap", str(place), f"read on, though {sorted(worker._intake._held)} holds intake"))

    def _committed(self, worker: SimWorker, place: Place, offset: int) -> None:
        if isinstance(worker, SimMatch):
            stand = self._scene.tables.stands.get(place)
            stands = self._scene.broker.logs[place].begin if stand is None else stand.next_offset
            if offset > stands and not (stand and stand.epoch):
                self._scene.seen.append(("progress", str(place), f"Kafka has {offset}, beyond {stand}"))

    # -- steps --------------------------------------------------------------------------------------------------

    def rebalance(self, role: str) -> None:
        self._scene.effects["rebalance"] += 1
        self._scene.group(role).rebalance()

    def crash(self, role: str, number: int, turns: int) -> None:
        if worker := self.of(role, number):
            worker.process.fuse = turns

    def freeze(self, role: str, number: int, seconds: float) -> None:
        """Beyond the session's timeout the group goes on without it; it learns of that a moment after it wakes up."""
        worker = self.of(role, number)
        if worker is None or worker.process.frozen:
            return
        worker.process.frozen = True
        if seconds > EXPELLED_S:
            self._scene.loop.outside(EXPELLED_S, self._expel, worker)
        self._scene.loop.outside(seconds, self.thaw, worker)

    def _expel(self, worker: Any) -> None:
        if worker.process.frozen:
            worker.group.leave(worker)

    def thaw(self, worker: Any) -> None:
        if worker.process.dead or not worker.process.frozen:
            return
        scene = self._scene
        zombie = worker not in worker.group.members
        scene.effects["zombie" if zombie else "freeze"] += 1
        worker.process.thaw(scene.loop)
        if zombie:
            scene.loop.outside(scene.random.choice((0.0, 0.1, 0.3)), self._rejoin, worker)

    def _rejoin(self, worker: Any) -> None:
        if not worker.process.dead and worker not in worker.group.members:
            worker.group.join(worker)

    def stop(self, role: str, number: int) -> None:
        """SIGTERM: drained, gone, started again."""
        worker = self.of(role, number)
        if worker is None or worker.process.frozen or worker not in worker.group.members:
            return
        self._scene.effects["stop"] += 1
        self._scene.loop.create_task(self._stop(worker), context=worker.process.context)

    async def _stop(self, worker: Any) -> None:
        try:
            await worker.drain(0.5)
        except Exception as error:  # noqa: BLE001 - a defect, of whatever kind
            self._died(worker, error)
            return
        self._scene.loop.outside(0.0, self._stopped, worker)

    def _stopped(self, worker: Any) -> None:
        if not worker.process.dead:
            worker.stopping = True
            worker.group.leave(worker)
            worker.process.kill()


def _role(worker: SimWorker) -> str:
    return "match" if isinstance(worker, SimMatch) else "forward"


def _in_hand(worker: Any) -> bool:
    if isinstance(worker, SimMatch):
        return worker._lanes.held_records > 0
    return worker._forwarder.hold.records > 0 if isinstance(worker, SimForward) else False
