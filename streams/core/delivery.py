"""What became of one post to the receiver: deliver, retry or dead-letter, and how long the receiver asks to wait."""

from __future__ import annotations

import datetime as dt
import uuid
from email.utils import parsedate_to_datetime
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from schemas.alerts import AlertState
from schemas.dead_letters import DeadLetter


class Fault(StrEnum):
    """Why there is no answer: whether the receiver took the alert is unknown."""

    TIMEOUT = "timeout"
    CONNECTION = "connection"
    """Refused, cut, not resolved, TLS not trusted, or an answer that is no HTTP."""


class Answer(Struct, frozen=True, kw_only=True):
    """What came back from one post: a status, or else a fault."""

    status: int | None = None
    fault: Fault | None = None
    retry_after: str | None = None
    """The header as the receiver wrote it."""
    text: str = ""
    """The beginning of the answer, or what the fault was: for people."""


class Kind(StrEnum):
    """What to do with the alert."""

    DELIVERED = "delivered"
    RETRY = "retry"
    DEAD = "dead"


class DeliveryReason(StrEnum):
    """Why a post failed: a closed set, also the metric's label. NONE on success."""

    NONE = ""
    HTTP = "http"
    RATE_LIMIT = "rate_limit"
    AUTH = "auth"
    TIMEOUT = "timeout"
    CONNECTION = "connection"


class Timing(StrEnum):
    """How an alert ended, as the objective of alert latency sees it. The value is the reason in the metric."""

    ON_TIME = ""
    LATE = "late"
    GIVEN_UP = "given_up"


class Outcome(Struct, frozen=True):
    kind: Kind
    reason: DeliveryReason


class Standing(Struct, frozen=True):
    """What the row of an alert says."""

    state: AlertState
    attempts: int
    payload_sha256: bytes
    """Of the record that was committed for it: one with other bytes under its id is not explained by the row."""
    record_time: dt.datetime
    """The broker's time of the event that raised it."""


class Settlement(Struct, frozen=True, kw_only=True):
    """What posts have come to for one alert since the last settlement; `pending` notes attempts that failed."""

    alert_id: uuid.UUID
    state: AlertState
    attempts: int
    """All posts ever made."""
    posts: int = 0
    """Posts since the last settlement."""
    good: int = 0
    """Those of them that delivered."""
    partition: int
    """Of mutt.alerts."""
    status: int | None = None
    error: str | None = None
    at: dt.datetime
    """When it was last attempted, or given up."""
    first_attempt_at: dt.datetime | None = None
    letter: DeadLetter | None = None
    """With `dead`."""
    replay_of: uuid.UUID | None = None
    """The letter that the record says it was replayed from."""
    on_time: bool = False
    """Delivered as soon after its event as the objective of alert latency asks."""

    @property
    def timing(self) -> Timing:
        """Of one that came to its end."""
        if self.state is not AlertState.DELIVERED:
            return Timing.GIVEN_UP
        return Timing.ON_TIME if self.on_time else Timing.LATE

    def after(self, earlier: Settlement) -> Settlement:
        """This one, with the posts of an earlier one that was not written yet."""
        return replace(self, posts=earlier.posts + self.posts, good=earlier.good + self.good)


_RETRIED = {
    401: DeliveryReason.AUTH,
    403: DeliveryReason.AUTH,
    408: DeliveryReason.TIMEOUT,
    425: DeliveryReason.HTTP,
    429: DeliveryReason.RATE_LIMIT,
}

RETRY_AFTER_MIN_S, RETRY_AFTER_MAX_S = 1.0, 3600.0


def classify(status: int | None, fault: Fault | None) -> Outcome:
    """What a post's status, or the fault in its place, means for the alert."""
    if fault is not None or status is None:
        return Outcome(Kind.RETRY, DeliveryReason(fault or Fault.CONNECTION))
    if 200 <= status < 300:
        return Outcome(Kind.DELIVERED, DeliveryReason.NONE)
    if status in _RETRIED:
        return Outcome(Kind.RETRY, _RETRIED[status])
    # A number that is no status of HTTP says nothing about the alert.
    retried = status >= 500 or status < 100
    return Outcome(Kind.RETRY if retried else Kind.DEAD, DeliveryReason.HTTP)


def retry_after(header: str | None, now: dt.datetime) -> float | None:
    """Seconds the receiver asks to wait, within 1 s to 1 h. None where it asks for nothing that can be read."""
    text = (header or "").strip()
    seconds = _whole_seconds(text) if text else None
    if text and seconds is None:
        seconds = _until(text, now)
    return None if seconds is None else min(max(seconds, RETRY_AFTER_MIN_S), RETRY_AFTER_MAX_S)


def _whole_seconds(text: str) -> float | None:
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal()):
        return None
    return RETRY_AFTER_MIN_S if text.startswith("-") else float(min(int(digits[:20]), 10**9))


def _until(text: str, now: dt.datetime) -> float | None:
    """Seconds until an HTTP date; one without a zone is in UTC, as RFC 9110 has it."""
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp() - now.timestamp()
    except (ValueError, OverflowError):
        return None
