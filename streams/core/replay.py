"""Replay decisions: which letters are meant, which of them may be sent again, and where to."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from schemas.dead_letters import FACTS, REPLAY_HEADER, DeadLetter, LetterState, Reason, Replayable, Stage
from schemas.topics import ALERTS, topics_by_name
from streams.core.letters import LetterRecord, is_cut


class LetterFilter(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which letters are meant; what is not given does not restrict. Times are of the failure, `until` excluded."""

    reasons: tuple[Reason, ...] = ()
    stages: tuple[Stage, ...] = ()
    hosts: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    ids: tuple[uuid.UUID, ...] = ()
    states: tuple[LetterState, ...] = ()
    since: dt.datetime | None = None
    until: dt.datetime | None = None

    @property
    def is_empty(self) -> bool:
        """Whether it means every letter there is (a state alone narrows nothing down)."""
        return not (self.reasons or self.stages or self.hosts or self.topics or self.ids or self.since or self.until)

    def names(self, letter: DeadLetter) -> bool:
        """Whether the operator asked for this very kind: by its reason or its id."""
        return letter.reason in self.reasons or letter.id in self.ids


class StoredLetter(Struct, frozen=True, kw_only=True):
    """A letter as the table has it."""

    letter: DeadLetter
    state: LetterState = LetterState.OPEN
    replay_id: uuid.UUID | None = None
    replayed_at: dt.datetime | None = None
    published_at: dt.datetime | None = None
    value_size: int | None = None
    """Bytes of the value; None for a null value."""
    parked_at: dt.datetime | None = None
    edits: int = 0
    edited_value: bytes | None = None
    """What a replay sends instead of the letter's value, once it was edited."""
    replay_of: uuid.UUID | None = None
    """The letter whose replay failed again and left this one."""
    has_alert: bool = False
    """Whether the alert that a `deliver` letter stands for still has its row."""


class Refusal(StrEnum):
    """Why a letter is not sent again; the first that applies."""

    UNKNOWN = "unknown"
    NOT_OPEN = "not_open"
    NEVER = "never"
    NEEDS_EDIT = "needs_edit"
    CUT = "cut"
    BY_CHOICE = "by_choice"
    NO_ORIGIN = "no_origin"
    NO_ALERT = "no_alert"
    TOO_OFTEN = "too_often"
    NO_PARTITION = "no_partition"
    TOO_LARGE = "too_large"

    @property
    def means(self) -> str:
        return _MEANS[self]


_MEANS = {
    Refusal.UNKNOWN: "there is no letter of this id",
    Refusal.NOT_OPEN: "another replay has it, or it was replayed, parked or purged before",
    Refusal.NEVER: "the same bytes can only fail again; its producer must send something else",
    Refusal.NEEDS_EDIT: "the same bytes can only fail again; its value must be edited first",
    Refusal.CUT: "only a cut copy of the value is left",
    Refusal.BY_CHOICE: "a letter of another tool is replayed only when its reason or id is named",
    Refusal.NO_ORIGIN: "it names no ingest topic of mutt as its origin",
    Refusal.NO_ALERT: "the alert it stands for has no row",
    Refusal.TOO_OFTEN: "replayed max_poison_retries times already; parked",
    Refusal.NO_PARTITION: "the topic no longer has the partition it came from",
    Refusal.TOO_LARGE: "the broker refuses a record of this size",
}


@dataclass(frozen=True, slots=True)
class ReplayPolicy:
    """How often one letter may be sent again."""

    max_replays: int = 3


def refusal(stored: StoredLetter, chosen: LetterFilter, policy: ReplayPolicy) -> Refusal | None:
    """Why this letter is not sent again; None when it may be."""
    return next((why for why, applies in _CHECKS if applies(stored, chosen, policy)), None)


def destination(letter: DeadLetter) -> tuple[str, int | None]:
    """Topic and partition a replay goes to: where the record came from. A dead alert goes to `mutt.alerts`,
    to the partition of its key where the letter names none."""
    if letter.stage is Stage.DELIVER:
        return ALERTS.name, letter.partition if letter.topic == ALERTS.name else None
    return letter.topic, letter.partition


def current_value(stored: StoredLetter) -> bytes | None:
    """The value a replay sends: the original's, or what the last edit made of it."""
    return stored.edited_value if stored.edits else stored.letter.value


def with_value(stored: StoredLetter, value: bytes) -> StoredLetter:
    """The letter as one more edit would leave it."""
    return replace(stored, edits=stored.edits + 1, edited_value=value)


def replay_record(stored: StoredLetter) -> LetterRecord:
    """What a replay sends: the original key and headers, the value, and as last header the letter's id."""
    letter = stored.letter
    return letter.key, current_value(stored), (*letter.headers, (REPLAY_HEADER.encode(), str(letter.id).encode()))


def _replayable(stored: StoredLetter) -> Replayable:
    return FACTS[stored.letter.reason].replayable


def _has_origin(letter: DeadLetter) -> bool:
    topic = topics_by_name().get(letter.topic)
    return letter.stage is Stage.DELIVER or (topic is not None and topic.is_ingest)


_CHECKS: tuple[tuple[Refusal, Callable[[StoredLetter, LetterFilter, ReplayPolicy], bool]], ...] = (
    (Refusal.NOT_OPEN, lambda stored, _, __: stored.state is not LetterState.OPEN),
    (Refusal.NEVER, lambda stored, _, __: _replayable(stored) is Replayable.NO),
    (Refusal.NEEDS_EDIT, lambda stored, _, __: _replayable(stored) is Replayable.AFTER_EDIT and not stored.edits),
    (Refusal.CUT, lambda stored, _, __: is_cut(stored.letter)),
    (
        Refusal.BY_CHOICE,
        lambda stored, chosen, _: _replayable(stored) is Replayable.BY_CHOICE and not chosen.names(stored.letter),
    ),
    (Refusal.NO_ORIGIN, lambda stored, _, __: not _has_origin(stored.letter)),
    (Refusal.NO_ALERT, lambda stored, _, __: stored.letter.stage is Stage.DELIVER and not stored.has_alert),
    (Refusal.TOO_OFTEN, lambda stored, _, policy: stored.letter.replays >= policy.max_replays),
)
