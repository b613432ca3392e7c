"""One batch: what is to be decided over, and what its decision commits."""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from collections.abc import Mapping, Sequence

from msgspec import Struct, field

from schemas.alerts import Alert
from schemas.dead_letters import REPLAY_HEADER, DeadLetter, LetterState, Reason
from schemas.events import Disposition
from schemas.rows import Row
from schemas.topics import Topic
from streams.core.batches import Record
from streams.core.matching import Knowledge
from streams.core.signatures import SignatureBook, SignatureDraft

HALT_AFTER = 20
"""Records in a row on which our own code failed: then the partition halts, for the fault is ours, not the data's."""

OUR_FAILURES = (Reason.INTERNAL_ERROR, Reason.DATABASE_VALUE)
"""Rejections that count against our own availability; the producer's faults do not."""


class Work(Struct, kw_only=True):
    """One batch to decide over: the records of `[first, after)` of one partition, in offset order."""

    topic: Topic
    partition: int
    first: int
    after: int
    records: Sequence[Record]
    knowledge: Knowledge
    book: SignatureBook
    now: dt.datetime
    replays: Mapping[uuid.UUID, LetterState] = {}
    """Letters named by replay headers in this batch, and their state."""
    refused: Mapping[int, str] = {}
    """Offsets whose row the database refused, and its words: they become dead letters."""
    depth: int = 0
    """Alerts that waited for delivery when the batch came to its turn."""
    failed_before: int = 0
    """Records in a row, up to this batch, on which our own code failed."""


class Decided(Struct, kw_only=True):
    """What one batch commits."""

    work: Work
    counts: dict[Disposition, int]
    missing: int
    audit: list[Row] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    alert_rows: list[Row] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)
    replayed: list[uuid.UUID] = field(default_factory=list)
    """Letters whose replay was judged in this batch."""
    signatures: SignatureDraft
    last_sha256: bytes | None = None
    failed_in_a_row: int = 0
    """Records in a row, up to the end of this batch, on which our own code failed."""
    halt: str | None = None
    """Why the partition must halt after this batch; `work` then ends with the last record decided over."""

    @property
    def our_failures(self) -> int:
        """Events that count as failed in the ingestor's SLI."""
        ours = sum(letter.reason in OUR_FAILURES for letter in self.letters)
        return ours + self.counts[Disposition.SHED] + self.missing

    @property
    def good(self) -> int:
        """Events that count as good in the ingestor's SLI."""
        counts = self.counts
        return sum(counts[name] for name in _GOOD)


_GOOD = (Disposition.ALERTED, Disposition.LOGGED, Disposition.IGNORED, Disposition.UNHANDLED)


def fingerprint(record: Record) -> bytes:
    """SHA-256 of a record's key, a NUL and its value: tells whether a log was replaced (docs/adr/0008)."""
    return hashlib.sha256((record.key or b"") + b"\0" + (record.value or b"")).digest()


def replay_header(record: Record) -> uuid.UUID | None:
    """The letter id in a record's last `mutt.dlq.id` header, where it is one."""
    for name, value in reversed(record.headers):
        if name == REPLAY_HEADER:
            try:
                return uuid.UUID((value or b"").decode("ascii"))
            except (ValueError, UnicodeDecodeError):
                return None
    return None
