"""Remediation: sends dead letters again while the receiver is healthy, and puts parked ones on their topic."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from schemas.config import DynamicConfig
from schemas.dead_letters import Reason
from schemas.errors import Unavailable
from streams import metrics
from streams.core.ports import BacklogReader, Clock, LetterReplays, ParkedOutbox, ReceiverProbe
from streams.core.remediation import (
    REMEDIED,
    Batch,
    RemediationPolicy,
    RemediationState,
    Round,
    Verdict,
    receiver_fault,
)

log = structlog.get_logger()

TICK_S = 1.0
"""So soon a parked letter, a change of configuration or a verdict is noticed."""

GO_ON = "mend the cause, then set remediation_enabled to false and to true again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What remediation looks at and acts on."""

    replays: LetterReplays
    parked: ParkedOutbox
    backlog: BacklogReader
    probe: ReceiverProbe


class Remediator:
    """Of all instances the one that acts. What is to be remembered stands in the tables: any other can go on."""

    def __init__(self, outside: Outside, config: Callable[[], DynamicConfig], clock: Clock) -> None:
        self._outside = outside
        self._config = config
        self._clock = clock
        self._state = RemediationState(clock.monotonic())
        self._known = False
        """Whether the last batches were looked at: those were another's to count."""

    @property
    def stopped(self) -> list[Reason]:
        """The reasons for which it has stopped itself."""
        return self._state.stopped

    async def run(self, leads: Callable[[], Awaitable[bool]], sleep: Callable[[float], Awaitable[None]]) -> None:
        """Acts as long as it leads."""
        while await leads():
            await self.tick()
            await sleep(TICK_S)

    async def tick(self) -> None:
        """What there is to do now; what is away is tried again at the next."""
        policy = RemediationPolicy.of(self._config())
        try:
            await self._publish_parked()
            if not self._known or self._state.unsettled or self._state.stopped:
                await self._judge()
            if self._state.due(policy, self._clock.monotonic()):
                self._ended(await self._round(policy), policy)
        except Unavailable as fault:
            log.warning("remediation waits", error=str(fault))
            self._ended(Round.UNAVAILABLE, policy)
        metrics.REMEDIATION_STATE.set(self._state.activity(policy))

    async def _round(self, policy: RemediationPolicy) -> Round:
        await self._outside.replays.go_on()
        await self._judge()
        ready = [reason for reason in REMEDIED if self._state.hold(reason, policy) is None]
        waiting = [reason for reason in ready if await self._outside.replays.has_work(reason)]
        if not waiting:
            return _nothing_ready(self._state, policy)
        pending = await self._outside.backlog.pending(policy.warn) + await self._outside.replays.unjudged()
        room = policy.room(pending)
        if not room:
            log.info("remediation backs off", backlog=pending, warn=policy.warn)
            return Round.BACKLOG
        if fault := receiver_fault(await self._outside.probe.ask(), await self._outside.replays.posts()):
            log.info("remediation backs off", receiver=fault)
            return Round.RECEIVER
        for reason in waiting:
            room -= await self._replay(reason, room) if room else 0
        await self._judge()
        return Round.REPLAYED

    async def _replay(self, reason: Reason, limit: int) -> int:
        sent = await self._outside.replays.replay(reason, limit)
        _REPLAYED[reason].inc(sent)
        log.info("remediation replayed", reason=reason.value, letters=sent)
        return sent

    async def _judge(self) -> None:
        for reason, said, batch in self._state.judge(await self._outside.replays.last_batches()):
            if self._known:
                _CAME_BACK[reason].inc(batch.came_back)
            if said is not Verdict.WELL:
                _tell(reason, said, batch)
        self._known = True

    async def _publish_parked(self) -> None:
        if published := await self._outside.parked.publish_parked():
            metrics.LETTERS_PARKED.inc(published)
            log.info("parked letters published", letters=published)

    def _ended(self, outcome: Round, policy: RemediationPolicy) -> None:
        self._state.ended(outcome, self._clock.monotonic())
        _ROUNDS[outcome].inc()
        if self._state.attempt:
            log.info("remediation rests", seconds=policy.rest_s(self._state.attempt), attempt=self._state.attempt)


def _nothing_ready(state: RemediationState, policy: RemediationPolicy) -> Round:
    held = {state.hold(reason, policy) for reason in REMEDIED} - {None}
    if Verdict.STOPPED in held:
        return Round.STOPPED
    return Round.RESTS if held else Round.IDLE


def _tell(reason: Reason, said: Verdict, batch: Batch) -> None:
    """An operator must see this without looking for it."""
    figures = {
        "reason": reason.value, "came_back": batch.came_back, "of": batch.taken, "replay": str(batch.replay_id),
    }  # fmt: skip
    if said is Verdict.STOPPED:
        log.error("remediation stopped itself: more than half of a batch came back", **figures, to_go_on=GO_ON)
    else:
        log.warning("some letters came back", **figures)


_ROUNDS = {outcome: metrics.REMEDIATION_ROUNDS.labels(outcome.value) for outcome in Round}
_REPLAYED = {reason: metrics.REMEDIATION_REPLAYED.labels(reason.value) for reason in REMEDIED}
_CAME_BACK = {reason: metrics.REMEDIATION_CAME_BACK.labels(reason.value) for reason in REMEDIED}
