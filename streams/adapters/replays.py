"""Sends claimed dead letters back to where they came from, at a bounded rate, and keeps the replay's record."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from schemas.errors import BrokerUnavailable
from streams import crash
from streams.adapters.exact_producer import send_exact
from streams.adapters.letter_filters import Place
from streams.adapters.replay_claims import Claim, Replay, Replays
from streams.core.replay import Refusal, ReplayPolicy, StoredLetter, destination, replay_record

CHUNK = 500
"""Letters claimed at once, at most; their bytes are bounded too."""
ANSWER_TIMEOUT_S = 60.0
"""How long one chunk waits for the broker's acknowledgement; afterwards the letters stay `replaying`, for a resume."""

EXAMPLES = 10
"""Letters named for each refusal."""

Next = Callable[[Place | None, int], Awaitable[Claim]]


@dataclass(slots=True)
class Outcome:
    """What a replay did."""

    sent: int = 0
    refused: Counter[Refusal] = field(default_factory=Counter)
    examples: defaultdict[Refusal, list[uuid.UUID]] = field(default_factory=lambda: defaultdict(list))
    """The first letters refused, by why."""

    def refuse(self, letter: uuid.UUID, why: Refusal) -> None:
        self.refused[why] += 1
        if len(self.examples[why]) < EXAMPLES:
            self.examples[why].append(letter)


@dataclass(frozen=True, slots=True)
class Pace:
    """At most `per_second` letters, None for as fast as the broker takes them; `limit` letters in all."""

    per_second: float | None = None
    limit: int | None = None

    def chunk(self, sent: int) -> int:
        """How many letters to claim next: about a second's worth, so that few are in hand when something breaks."""
        size = CHUNK if self.per_second is None else max(1, min(CHUNK, int(self.per_second)))
        return size if self.limit is None else min(size, self.limit - sent)


class Replayer:
    """Runs replays on one started producer.

    Raises BrokerUnavailable when the broker does not acknowledge in time: the letters in hand stay `replaying` and
    a resume sends them again; a second copy has no effect.
    """

    def __init__(self, replays: Replays, producer: AIOKafkaProducer, pace: Pace) -> None:
        self._replays = replays
        self._producer = producer
        self._pace = pace
        self._next_send = 0.0
        self.outcome = Outcome()

    async def perform(self, replay: Replay, *, resumed: bool, on_progress: Callable[[int], None]) -> None:
        """All of a replay, from where it stopped if it was begun before, and its end on record."""
        crash.here("replay_recorded")
        if resumed:
            await self.again(replay, on_progress)
        await self.run(replay, await self._replays.policy(), on_progress)
        crash.here("replay_unfinished")
        await self._replays.finish(replay.id)

    async def again(self, replay: Replay, on_progress: Callable[[int], None]) -> None:
        """Sends once more what this replay took before and nobody has judged since."""

        async def unsettled(after: Place | None, limit: int) -> Claim:
            return await self._replays.unsettled(replay, after, limit)

        await self._run(replay, unsettled, on_progress)

    async def run(self, replay: Replay, policy: ReplayPolicy, on_progress: Callable[[int], None]) -> None:
        """Claims and sends until the filter names no open letter, or the limit is reached."""

        async def claim(after: Place | None, limit: int) -> Claim:
            return await self._replays.claim(replay, policy, after, limit)

        await self._run(replay, claim, on_progress)

    async def _run(self, replay: Replay, take: Next, on_progress: Callable[[int], None]) -> None:
        after: Place | None = None
        while (size := self._pace.chunk(self.outcome.sent)) > 0:
            _heed_cancel()
            claim = await take(after, size)
            if claim.after is None:
                return
            after = claim.after
            for stored, why in claim.refused:
                self.outcome.refuse(stored.letter.id, why)
            crash.here("letters_claimed")
            await self._send(replay, claim.letters)
            on_progress(len(claim.letters) + len(claim.refused))

    async def _send(self, replay: Replay, letters: list[StoredLetter]) -> None:
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S + len(letters) / (self._pace.per_second or len(letters) or 1)):
                answers = [(stored, await self._queue(stored)) for stored in letters]
                await asyncio.wait([answer for _, answer in answers if not isinstance(answer, Refusal)] or [_done()])
        except TimeoutError:
            raise BrokerUnavailable("the broker does not acknowledge; what was sent may be on the topic") from None
        sent: list[StoredLetter] = []
        for stored, answer in answers:
            why = answer if isinstance(answer, Refusal) else _verdict(answer)
            if why is None:
                sent.append(stored)
            else:
                self.outcome.refuse(stored.letter.id, why)
                await self._replays.release(replay.id, stored.letter.id)
        crash.here("replay_sent")
        await self._replays.mark_sent(replay.id, sent)
        crash.here("replay_marked")
        self.outcome.sent += len(sent)

    async def _queue(self, stored: StoredLetter) -> asyncio.Future[Any] | Refusal:
        await self._wait_turn()
        topic, partition = destination(stored.letter)
        try:
            return await send_exact(self._producer, topic, partition, replay_record(stored))
        except ValueError:
            return Refusal.NO_PARTITION
        except MessageSizeTooLargeError:
            return Refusal.TOO_LARGE

    async def _wait_turn(self) -> None:
        _heed_cancel()
        if self._pace.per_second is not None:
            now = time.monotonic()
            await asyncio.sleep(max(0.0, self._next_send - now))
            self._next_send = max(now, self._next_send) + 1 / self._pace.per_second


def _heed_cancel() -> None:
    """Ends a task that was cancelled. Clients swallow a cancel that comes just as what they wait for is there."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _verdict(answer: asyncio.Future[Any]) -> Refusal | None:
    """None when the broker has the record. Raises BrokerUnavailable where that is not known."""
    error = answer.exception()
    if error is None:
        return None
    if isinstance(error, MessageSizeTooLargeError):
        return Refusal.TOO_LARGE
    if isinstance(error, KafkaError):
        raise BrokerUnavailable(f"the broker refuses: {error}") from error
    raise error


def _done() -> asyncio.Future[Any]:
    future = asyncio.get_running_loop().create_future()
    future.set_result(None)
    return future
