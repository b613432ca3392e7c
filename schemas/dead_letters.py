"""Dead letters: the closed set of reasons, and the headers a letter carries on `mutt.dlq`."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from enum import StrEnum

from msgspec import Struct

HEADER_PREFIX = "mutt.dlq."
REPLAY_HEADER = "mutt.dlq.id"
"""On a replayed record: the id of its letter. It counts only while that letter's replay is in progress."""

Headers = tuple[tuple[bytes, bytes | None], ...]
"""Record headers byte for byte and in order: names may repeat, values may be null."""


class Stage(StrEnum):
    """Where in the pipeline the record failed."""

    DECODE = "decode"
    MATCH = "match"
    STORE = "store"
    DELIVER = "deliver"
    OTHER = "other"


class Replayable(StrEnum):
    """Whether sending the same bytes again can help."""

    YES = "yes"
    AFTER_FIX = "after_fix"
    AFTER_EDIT = "after_edit"
    BY_CHOICE = "by_choice"
    NO = "no"


class Reason(StrEnum):
    """Why a record is a dead letter: one closed set, also the metric's label and the command line's filter.

    The order is the order of the checks: the first that applies is given.
    """

    TOMBSTONE = "tombstone"
    TOO_LARGE = "too_large"
    EMPTY = "empty"
    ENCODING = "encoding"
    DEPTH = "depth"
    JSON = "json"
    NOT_OBJECT = "not_object"
    DUPLICATE_KEY = "duplicate_key"
    MISSING_FIELD = "missing_field"
    FIELD = "field"
    LINE = "line"
    DATABASE_VALUE = "database_value"
    INTERNAL_ERROR = "internal_error"
    SHED = "shed"
    DELIVERY = "delivery"
    DELIVERY_EXPIRED = "delivery_expired"
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True)
class ReasonFacts:
    """What an operator needs to know about a reason."""

    stage: Stage
    replayable: Replayable
    means: str
    who_fixes: str


_DECODE_NO = (Stage.DECODE, Replayable.NO)
_DECODE_EDIT = (Stage.DECODE, Replayable.AFTER_EDIT)

FACTS: dict[Reason, ReasonFacts] = {
    Reason.TOMBSTONE: ReasonFacts(*_DECODE_NO, "null value", "producer"),
    Reason.TOO_LARGE: ReasonFacts(
        *_DECODE_NO,
        "value over 1 MiB, over 1,000 varbinds, or a batch that unpacks beyond 32 MiB or 500,000 records",
        "producer",
    ),
    Reason.EMPTY: ReasonFacts(*_DECODE_NO, "no bytes, or white space only", "producer"),
    Reason.ENCODING: ReasonFacts(*_DECODE_EDIT, "JSON that is not UTF-8", "producer"),
    Reason.DEPTH: ReasonFacts(*_DECODE_EDIT, "nested deeper than 64", "producer"),
    Reason.JSON: ReasonFacts(*_DECODE_EDIT, "not JSON, cut short, or bytes after the document", "producer"),
    Reason.NOT_OBJECT: ReasonFacts(*_DECODE_EDIT, "JSON, but no object", "producer"),
    Reason.DUPLICATE_KEY: ReasonFacts(*_DECODE_EDIT, "a field that mutt reads stands there twice", "producer"),
    Reason.MISSING_FIELD: ReasonFacts(*_DECODE_EDIT, "timestamp, hostname or message absent or null", "producer"),
    Reason.FIELD: ReasonFacts(*_DECODE_EDIT, "a field of the wrong type or out of bounds", "producer"),
    Reason.LINE: ReasonFacts(*_DECODE_EDIT, "a raw line with nothing to keep", "producer"),
    Reason.DATABASE_VALUE: ReasonFacts(
        Stage.STORE, Replayable.AFTER_FIX, "the database refuses this row's value", "mutt: a missing check"
    ),
    Reason.INTERNAL_ERROR: ReasonFacts(
        Stage.MATCH, Replayable.AFTER_FIX, "mutt's own code failed on this record", "mutt: a defect"
    ),
    Reason.SHED: ReasonFacts(
        Stage.MATCH, Replayable.YES, "would have raised an alert; shed under pressure by policy", "nobody: remediation"
    ),
    Reason.DELIVERY: ReasonFacts(
        Stage.DELIVER, Replayable.YES, "the receiver refused the alert for good", "owner of the receiver or the rule"
    ),
    Reason.DELIVERY_EXPIRED: ReasonFacts(
        Stage.DELIVER, Replayable.YES, "older than moog_retry_max_age", "owner of the receiver"
    ),
    Reason.FOREIGN: ReasonFacts(Stage.OTHER, Replayable.BY_CHOICE, "put there by another tool", "owner of that tool"),
}


class LetterState(StrEnum):
    """A letter waits, is being replayed, was judged again, is parked, or is only a row without its bytes."""

    OPEN = "open"
    REPLAYING = "replaying"
    REPLAYED = "replayed"
    PARKED = "parked"
    PURGED = "purged"


class DeadLetter(Struct, frozen=True, kw_only=True):
    """A record that could not be processed, byte for byte, with its origin and why."""

    id: uuid.UUID
    reason: Reason
    detail: str
    """For people: cleaned of control characters, at most 2,000 characters."""
    topic: str
    partition: int
    offset: int
    timestamp: int
    """The record's broker time, ms since the epoch."""
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    hostname: str | None = None
    """Where it could be read."""
    rule_id: int | None = None
    alert_id: uuid.UUID | None = None
    """The alert a `deliver` letter stands for."""
    attempts: int = 1
    first_failed_at: dt.datetime
    last_failed_at: dt.datetime
    replays: int = 0

    @property
    def stage(self) -> Stage:
        return FACTS[self.reason].stage
