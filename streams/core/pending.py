"""One alert that waits for its delivery: what its posts came to, when the next may go, and what is written of it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from schemas.alerts import Alert, AlertState
from schemas.config import DynamicConfig
from schemas.dead_letters import DeadLetter, Reason
from streams.core.backoff import BackoffPolicy, backoff
from streams.core.batches import Record
from streams.core.delivery import Answer, Settlement, retry_after
from streams.core.letter_headers import clean_detail
from streams.core.undelivered import undelivered_letter
from streams.core.work import replay_header

ERROR_LIMIT = 500
"""Characters of the last error kept in the alert's row."""


@dataclass(eq=False)
class Pending:
    """An alert, the record of mutt.alerts that brought it, and its posts so far."""

    alert: Alert
    record: Record
    partition: int
    attempts: int
    """All posts ever made, by any worker."""
    record_time: dt.datetime
    """The broker's time of the event that raised it."""
    on_time_s: float
    """Delivered within so many seconds of that it is on time."""
    tries: int = 0
    """Posts since it is in hand: what the backoff grows with."""
    first_attempt_at: dt.datetime | None = None
    last: Answer = field(default_factory=Answer)

    def answered(self, answer: Answer) -> None:
        """One post ended."""
        self.last = answer
        self.attempts += 1
        self.tries += 1

    def seconds_left(self, config: DynamicConfig, now: dt.datetime) -> float:
        """How long it is still tried: for ever, unless an operator says otherwise."""
        limit = config.moog_retry_max_age
        return limit - (now.timestamp() - self.record.timestamp / 1000) if limit else float("inf")

    def delay(self, config: DynamicConfig, now: dt.datetime, draw: float) -> float:
        """Seconds until the next try: what the receiver asks for, else backoff; no longer than the alert lives."""
        asked = retry_after(self.last.retry_after, now)
        if asked is None:
            policy = BackoffPolicy(config.moog_retry_base_delay, config.moog_retry_max_delay)
            asked = backoff(policy, self.tries - 1, draw)
        return min(asked, max(0.0, self.seconds_left(config, now)))

    def retried(self, now: dt.datetime) -> Settlement:
        """A post that failed and is tried again."""
        return self._settlement(AlertState.PENDING, now, posts=1)

    def delivered(self, now: dt.datetime) -> Settlement:
        return self._settlement(AlertState.DELIVERED, now, posts=1)

    def refused(self, now: dt.datetime) -> Settlement:
        """The receiver's answer is final: the letter tells the status and the beginning of the answer."""
        letter = self._letter(Reason.DELIVERY, told(self.last), now)
        return self._settlement(AlertState.DEAD, now, posts=1, letter=letter)

    def expired(self, config: DynamicConfig, now: dt.datetime) -> Settlement:
        """Given up without a post."""
        age = f"older than moog_retry_max_age={config.moog_retry_max_age} s"
        letter = self._letter(Reason.DELIVERY_EXPIRED, f"{age}; last answer: {told(self.last) or 'none'}", now)
        return self._settlement(AlertState.DEAD, now, posts=0, letter=letter)

    def _settlement(
        self, state: AlertState, now: dt.datetime, *, posts: int, letter: DeadLetter | None = None
    ) -> Settlement:
        delivered = state is AlertState.DELIVERED
        return Settlement(
            alert_id=self.alert.id,
            state=state,
            attempts=self.attempts,
            posts=posts,
            good=int(delivered),
            on_time=delivered and (now - self.record_time).total_seconds() <= self.on_time_s,
            partition=self.partition,
            status=self.last.status,
            error=None if delivered else told(self.last)[:ERROR_LIMIT] or None,
            at=now,
            first_attempt_at=self.first_attempt_at,
            letter=letter,
            replay_of=replay_header(self.record) if letter is not None and self.record.headers else None,
        )

    def _letter(self, reason: Reason, detail: str, now: dt.datetime) -> DeadLetter:
        return undelivered_letter(
            self.record,
            self.partition,
            reason,
            detail,
            now=now,
            alert=self.alert,
            attempts=self.attempts,
            first_failed_at=self.first_attempt_at,
        )


def told(answer: Answer) -> str:
    """A status or fault with the beginning of what came, for people."""
    what = f"HTTP {answer.status}" if answer.status is not None else str(answer.fault or "")
    return clean_detail(f"{what}: {answer.text}" if answer.text else what)
