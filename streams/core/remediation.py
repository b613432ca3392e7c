"""Remediation: when dead letters are sent again by themselves, how long it rests, and when it stops itself.

Only `shed` and `delivery` letters. Each of the two has its own last batch and its own verdict, so that alerts which the
receiver refuses never keep shed events from their alerts. One batch of a reason is out at a time: the next waits for
the verdict on it, or for PATIENCE where something of it never settles.

It stops itself for a reason when more than half of its last batch came back (at least STOPS_AT letters: one or two are
poison, which the count of replays parks in the end). That is read from the tables, so neither a restart nor another
instance starts it again: an operator does, once the cause is gone, by setting `remediation_enabled` to false and back
to true. What came back before that change no longer counts.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from enum import IntEnum, StrEnum

from msgspec import Struct

from schemas.config import DynamicConfig
from schemas.dead_letters import Reason
from streams.core.delivery import Answer

ACTOR = "remediation"
"""Who its replays are recorded for."""
REMEDIED: tuple[Reason, ...] = (Reason.SHED, Reason.DELIVERY)
"""What is sent again, in this order. Expired deliveries are not: somebody decided that they are too old."""

STOPS_AT = 3
PATIENCE = 2
"""So many times the backoff base it waits for the verdict on a batch."""
LONGEST_REST_S = 3600.0
"""A receiver that was away for a day is not left alone for another."""

_NOT_IMPLEMENTED = 501
_TOO_MANY = 429


class RemediationPolicy(Struct, frozen=True, kw_only=True):
    """Times in seconds; `warn` in pending alerts."""

    enabled: bool
    interval_s: float
    batch_size: int
    backoff_base_s: float
    warn: int

    @classmethod
    def of(cls, config: DynamicConfig) -> RemediationPolicy:
        return cls(
            enabled=config.remediation_enabled,
            interval_s=config.remediation_interval,
            batch_size=config.remediation_batch_size,
            backoff_base_s=config.remediation_backoff_base,
            warn=config.alerter_queue_warn_threshold,
        )

    def rest_s(self, attempt: int) -> float:
        """From one round to the next: the interval, or after `attempt` bad ones in a row base x attempt."""
        longest = max(LONGEST_REST_S, self.backoff_base_s)
        return max(self.interval_s, min(self.backoff_base_s * attempt, longest))

    def room(self, pending: int) -> int:
        """How many letters may go out beside so many alerts, pending or to come: no round lifts the backlog to warn."""
        return max(0, min(self.batch_size, self.warn - pending))


class Batch(Struct, frozen=True, kw_only=True):
    """What became of one replay so far."""

    replay_id: uuid.UUID
    taken: int
    came_back: int
    """Letters that are open again, or whose record failed again."""
    waiting: int
    """Letters that nobody has judged yet, or whose alert is not settled yet."""
    age_s: float
    """Since the last of it was sent."""
    excused: bool = False
    """An operator has switched remediation since then."""


class Verdict(StrEnum):
    """What a batch says about the next one."""

    WELL = "well"
    WAITING = "waiting"
    CAME_BACK = "came_back"
    STOPPED = "stopped"


def verdict(batch: Batch | None) -> Verdict:
    """Stopped as soon as it is certain, though some of it may not be settled yet."""
    if batch is None or batch.excused:
        return Verdict.WELL
    if batch.came_back >= STOPS_AT and 2 * batch.came_back > batch.taken:
        return Verdict.STOPPED
    if batch.waiting:
        return Verdict.WAITING
    return Verdict.CAME_BACK if batch.came_back else Verdict.WELL


class Posts(Struct, frozen=True):
    """What the tables say of the receiver."""

    failing: int
    """Pending alerts whose posts failed so far."""
    delivered: int
    """Posts that it took in the last minutes."""


def receiver_fault(answer: Answer, posts: Posts) -> str | None:
    """Why the receiver is not healthy; None when it is.

    Any status tells that somebody answers there, be it 404 or 405 to a question that no webhook knows; 501 too, since
    it says as much of the method. 429 and other 5xx ask to be left alone. What it does with posts counts as well:
    alerts that wait after a failed post, while it took none, say more than an answer to a question.
    """
    if answer.status is None:
        return f"gives no answer ({answer.fault})"
    if answer.status == _TOO_MANY or (not 100 <= answer.status < 500 and answer.status != _NOT_IMPLEMENTED):
        return f"answers {answer.status}"
    if posts.failing and not posts.delivered:
        return f"takes no alerts: {posts.failing} wait after posts that failed"
    return None


class Round(StrEnum):
    """How a round ended: a closed set, also the metric's label."""

    REPLAYED = "replayed"
    IDLE = "idle"
    """Nothing to send."""
    RESTS = "rests"
    """The verdict on the last batch is awaited, or some of it came back."""
    STOPPED = "stopped"
    BACKLOG = "backlog"
    RECEIVER = "receiver"
    UNAVAILABLE = "unavailable"
    """PostgreSQL or Kafka is away."""


_BAD = frozenset({Round.BACKLOG, Round.RECEIVER})


class Activity(IntEnum):
    """What an instance is at; the number is the value of the gauge."""

    STANDBY = 0
    OFF = 1
    WATCHING = 2
    BACKING_OFF = 3
    STOPPED = 4


class RemediationState:
    """Where the instance that acts stands. `now` is monotonic seconds; it rests for an interval before its first round.

    Attempts in a row begin anew with each instance: at worst one rest is shorter.
    """

    def __init__(self, now: float) -> None:
        self._ended_at = now
        self._attempt = 0
        self._came_back: dict[Reason, int] = dict.fromkeys(REMEDIED, 0)
        self._judged: dict[Reason, uuid.UUID] = {}
        self.batches: Mapping[Reason, Batch] = {}
        """The last batch of each reason."""

    def due(self, policy: RemediationPolicy, now: float) -> bool:
        return policy.enabled and now >= self._ended_at + policy.rest_s(self._attempt)

    def ended(self, outcome: Round, now: float) -> None:
        """A round is over. One that PostgreSQL or Kafka cut short says nothing of the receiver."""
        self._ended_at = now
        if outcome is not Round.UNAVAILABLE:
            self._attempt = self._attempt + 1 if outcome in _BAD else 0

    @property
    def attempt(self) -> int:
        """Rounds in a row that found no receiver, or a backlog."""
        return self._attempt

    def judge(self, batches: Mapping[Reason, Batch]) -> list[tuple[Reason, Verdict, Batch]]:
        """Takes in how the last batches stand; returns the verdicts that are new and final, each batch once."""
        self.batches = batches
        news: list[tuple[Reason, Verdict, Batch]] = []
        for reason, batch in batches.items():
            said = verdict(batch)
            if said is not Verdict.WAITING and self._judged.get(reason) != batch.replay_id:
                self._judged[reason] = batch.replay_id
                self._came_back[reason] = self._came_back[reason] + 1 if said is Verdict.CAME_BACK else 0
                news.append((reason, said, batch))
        return news

    def hold(self, reason: Reason, policy: RemediationPolicy) -> Verdict | None:
        """Why letters of this reason stay where they are for now; None when they may go."""
        batch = self.batches.get(reason)
        said = verdict(batch)
        if batch is None or said is Verdict.WELL:
            return None
        rest = {
            Verdict.WAITING: PATIENCE * policy.backoff_base_s,
            Verdict.CAME_BACK: policy.rest_s(self._came_back[reason]),
        }
        return said if batch.age_s < rest.get(said, float("inf")) else None

    @property
    def stopped(self) -> list[Reason]:
        return [reason for reason, batch in self.batches.items() if verdict(batch) is Verdict.STOPPED]

    @property
    def unsettled(self) -> bool:
        """Whether the verdict on a batch is awaited."""
        return any(verdict(batch) is Verdict.WAITING for batch in self.batches.values())

    def activity(self, policy: RemediationPolicy) -> Activity:
        if not policy.enabled:
            return Activity.OFF
        if self.stopped:
            return Activity.STOPPED
        resting = self._attempt or any(self.hold(reason, policy) is Verdict.CAME_BACK for reason in REMEDIED)
        return Activity.BACKING_OFF if resting else Activity.WATCHING
