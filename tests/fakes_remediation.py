"""Fakes of remediation's ports, which run the contract suites of the real ones."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.dead_letters import Reason
from schemas.errors import MuttError
from streams.core.delivery import Answer
from streams.core.remediation import Batch, Posts

MAX_REPLAYS = 3


@dataclass(eq=False)
class FakeLetter:
    """A letter that waits; `replays` counts how often it was sent."""

    reason: Reason
    replays: int = 0
    sendable: bool = True


@dataclass(eq=False)
class FakeReplay:
    """One replay, with the letters that nobody has judged yet."""

    reason: Reason
    out: list[FakeLetter]
    taken: int
    finished: bool = True
    came_back: int = 0
    ended_at: float = 0.0
    excused: bool = False
    replay_id: uuid.UUID = field(default_factory=uuid.uuid4)


class FakeLetterReplays:
    """The LetterReplays port in memory; `seconds` is the time. `faults` are raised by the next replays."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.open: list[FakeLetter] = []
        self.parked: list[FakeLetter] = []
        self.done: list[FakeReplay] = []
        self.receiver = Posts(failing=0, delivered=0)
        self.faults: list[MuttError] = []

    async def posts(self) -> Posts:
        return self.receiver

    async def unjudged(self) -> int:
        return sum(len(replay.out) for replay in self.done if replay.reason is Reason.SHED)

    async def has_work(self, reason: Reason) -> bool:
        return any(letter.reason is reason and letter.sendable for letter in self.open)

    async def replay(self, reason: Reason, limit: int) -> int:
        self._park(reason)
        taken = self._take(reason, limit)
        replay = FakeReplay(reason, taken, len(taken), finished=not self.faults, ended_at=self.seconds)
        self.done.append(replay)
        if self.faults:
            raise self.faults.pop(0)
        return len(taken)

    async def go_on(self) -> int:
        unfinished = [replay for replay in self.done if not replay.finished]
        for replay in unfinished:
            replay.finished = True
        return sum(len(replay.out) for replay in unfinished)

    async def last_batches(self) -> Mapping[Reason, Batch]:
        return {
            replay.reason: Batch(
                replay_id=replay.replay_id,
                taken=replay.taken,
                came_back=replay.came_back,
                waiting=len(replay.out),
                age_s=self.seconds - replay.ended_at,
                excused=replay.excused,
            )
            for replay in self.done
            if replay.finished and replay.taken
        }

    def add(self, count: int, reason: Reason = Reason.SHED, *, replays: int = 0, cut: bool = False) -> None:
        self.open += [FakeLetter(reason, replays, not cut) for _ in range(count)]

    def judge(self, *, well: int = 0, badly: int = 0) -> None:
        """What workers make of letters that are out, of the newest replays first."""
        for replay in reversed(self.done):
            del replay.out[: (good := min(well, len(replay.out)))]
            bad, replay.out = replay.out[:badly], replay.out[badly:]
            replay.came_back += len(bad)
            self.open += bad
            well, badly = well - good, badly - len(bad)

    def switch(self) -> None:
        for replay in self.done:
            replay.excused = True

    def take(self, count: int) -> None:
        taken = self._take(Reason.SHED, count)
        self.done.append(FakeReplay(Reason.SHED, taken, len(taken), finished=False))

    def _park(self, reason: Reason) -> None:
        spent = [letter for letter in self.open if letter.reason is reason and letter.replays >= MAX_REPLAYS]
        self.open = [letter for letter in self.open if letter not in spent]
        self.parked += spent

    def _take(self, reason: Reason, limit: int) -> list[FakeLetter]:
        taken = [letter for letter in self.open if letter.reason is reason and letter.sendable][:limit]
        self.open = [letter for letter in self.open if letter not in taken]
        for letter in taken:
            letter.replays += 1
        return taken


class FakeProbe:
    """The ReceiverProbe port: answers as told, and counts."""

    def __init__(self) -> None:
        self.default = Answer(status=405)
        self.asked = 0

    async def ask(self) -> Answer:
        self.asked += 1
        return self.default


class FakeParkedOutbox:
    """The ParkedOutbox port in memory."""

    def __init__(self) -> None:
        self.waiting = 0
        self.published = 0

    async def publish_parked(self) -> int:
        now, self.waiting = self.waiting, 0
        self.published += now
        return now
