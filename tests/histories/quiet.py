"""The end of one history: no more faults, and everything must come to its end by itself."""

from __future__ import annotations

import asyncio

from schemas.alerts import AlertState
from tests.histories.logs import Logs
from tests.histories.members import Members
from tests.histories.scene import ALERT_PLACES, PLACES, Scene

QUIET_WITHIN_S = 60.0
CUT = ("truncat", "replaced", "went back")
"""What a partition may halt for."""


class Quiet:
    """Halted partitions are the only ones that somebody must help."""

    def __init__(self, scene: Scene, members: Members, logs: Logs) -> None:
        self._scene, self._members, self._logs = scene, members, logs

    async def come(self) -> None:
        """Waits for it; what does not become quiet is seen."""
        self._calm()
        loop = self._scene.loop
        until = loop.time() + QUIET_WITHIN_S
        while (why := self._waits_for()) and loop.time() < until:
            await asyncio.sleep(0.1)
            self._reset_halted()
        if why:
            self._scene.seen.append(("stuck", why[0], why[1]))

    def _calm(self) -> None:
        self._scene.servers.calm()
        self._scene.servers.receiver.answers.clear()
        self._members.versions.calm()
        for worker in list(self._members.workers):
            worker.process.fuse = None
            if worker.process.frozen:
                self._members.thaw(worker)
        for place in PLACES:
            self._logs.produce_matched(place, 1)

    def _reset_halted(self) -> None:
        """What an operator does where a log was cut or replaced: `mutt ledger reset`, to the first record not done."""
        scene = self._scene
        for place, stand in scene.tables.stands.items():
            if stand.halted is not None:
                scene.effects["halt"] += 1
                if not any(why in stand.halted for why in CUT):
                    scene.seen.append(("stuck", str(place), stand.halted))
                scene.tables.reset(place, self._logs.first_undone(place))

    def _waits_for(self) -> tuple[str, str] | None:
        """What is not at its end yet."""
        return self._events() or self._requests() or self._rows() or self._alerts()

    def _events(self) -> tuple[str, str] | None:
        for place in PLACES:
            stand, end = self._scene.tables.stands.get(place), self._logs.log(place).end
            if stand is None or stand.halted is not None or stand.next_offset != end:
                return str(place), f"stands at {stand}, the log ends at {end}"
            if (committed := self._scene.match.committed.get(place)) != end:
                return str(place), f"acknowledged to {committed} of {end}"
        return None

    def _requests(self) -> tuple[str, str] | None:
        flying = self._scene.servers.in_flight
        return ("servers", f"{flying} requests in flight") if flying else None

    def _rows(self) -> tuple[str, str] | None:
        delivers = self._scene.plan.forwarders
        for name, line in self._scene.tables.alerts.items():
            if not line.published or (delivers and line.state is AlertState.PENDING):
                return str(name), f"published {line.published}, {line.state}"
        for letter, row in self._scene.tables.letters.items():
            if not row.published:
                return str(letter), f"not on mutt.dlq: {row.letter}"
        return None

    def _alerts(self) -> tuple[str, str] | None:
        for place in ALERT_PLACES if self._scene.plan.forwarders else ():
            committed, end = self._scene.forward.committed.get(place, 0), self._logs.log(place).end
            if committed != end:
                return str(place), f"acknowledged to {committed} of {end}"
        return None
