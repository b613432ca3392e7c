"""What a step met when it struck, and how long the system took to be over it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.desk import Operator
from tests.chaos.journal import Place
from tests.chaos.plan import Step
from tests.chaos.world import World, poll
from tests.integration.pipeline import gauge

IN_FLIGHT_S = 30.0
RECOVER_S = 90.0
"""Nothing may stand longer than this after a fault."""
OTHERS_S = 0.5
"""Partitions that others own have moved by then."""
BURST = 60
MANY = 6
"""Partitions that wait when a worker is struck: some are then its own."""


@dataclass
class Hit:
    """`effective`: work was in flight. `problem`: what did not come true afterwards."""

    step: Step
    effective: bool = False
    found: dict[str, Any] = field(default_factory=dict)
    takeover_s: float | None = None
    """Seconds from the kill of a worker to the first new commit of what it had in hand."""
    accepted_s: float | None = None
    """Seconds from the moment that PostgreSQL accepts again to the first new commit."""
    seconds: float = 0.0
    problem: str | None = None

    def as_json(self) -> dict[str, Any]:
        told = {"step": self.step.name, "effective": self.effective, "found": self.found, "seconds": self.seconds}
        more = {"takeover_s": self.takeover_s, "accepted_s": self.accepted_s, "problem": self.problem}
        return told | {name: value for name, value in more.items() if value is not None}


@dataclass
class Scene:
    """Where a step is played."""

    world: World
    operator: Operator
    step: Step
    hit: Hit

    async def work(self, partitions: int = 1) -> Mapping[Place, int]:
        """Waits until so many partitions have confirmed records before them, and gives them."""

        async def look() -> dict[Place, int]:
            found = await self.world.waiting()
            if len(found) >= partitions:
                return found
            self.world.sender.more(BURST * partitions)
            return {}

        found: dict[Place, int] = await poll(look, IN_FLIGHT_S, every=0.01)
        return found

    async def spread(self, records: int) -> Mapping[Place, int]:
        """Sends so many; gives the partitions in which work waits once the broker has them."""
        sender = self.world.sender
        most = sender.sent + records
        sender.allow(records)

        async def there() -> bool:
            return sender.sent >= most and sender.answers.total() >= most

        await poll(there, IN_FLIGHT_S)
        return await self.world.waiting()

    async def alerts(self) -> int:
        """Waits until alerts are on their way to the receiver, and counts them."""

        async def look() -> int:
            found = await self.world.pending_alerts()
            if not found:
                self.world.sender.more(BURST)
            return found

        return int(await poll(look, IN_FLIGHT_S, every=0.02))

    async def moved(self, since: Mapping[Place, int]) -> float:
        """Waits until each of these partitions has a new commit; seconds until then. Notes the problem if not."""
        began = time.monotonic()
        left: dict[Place, int] = dict(since)

        async def look() -> bool:
            nonlocal left
            left = await self.world.still(left)
            self.world.look_after()
            return not left

        if not await poll(look, RECOVER_S, every=0.02):
            self.hit.problem = f"no commit within {RECOVER_S:.0f} s in {sorted(left)}"
        return round(time.monotonic() - began, 2)

    async def of_victim(self, since: Mapping[Place, int]) -> dict[Place, int]:
        """Those that have not moved when all others have."""
        await asyncio.sleep(OTHERS_S)
        return await self.world.still(since)

    async def member(self, name: str) -> None:
        """Waits until a worker has partitions."""

        async def look() -> bool:
            self.world.look_after()
            return await asyncio.to_thread(gauge, self.world.ports[name], "mutt_partitions_assigned") > 0

        if not await poll(look, RECOVER_S, every=0.2):
            self.hit.problem = f"{name} was no member again within {RECOVER_S:.0f} s"

    async def delivering(self) -> float:
        """Waits until the receiver takes another alert; seconds until then."""
        began, size = time.monotonic(), self.world.received()

        async def look() -> bool:
            self.world.look_after()
            if not await self.world.pending_alerts():
                self.world.sender.more(BURST)
            return self.world.received() > size

        if not await poll(look, RECOVER_S, every=0.05):
            self.hit.problem = f"no alert delivered within {RECOVER_S:.0f} s"
        return round(time.monotonic() - began, 2)
