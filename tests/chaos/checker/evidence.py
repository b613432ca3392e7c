"""What the checker looks at, as plain data: detectors read it, tests doctor it. Nothing here reads anything."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, NamedTuple
from uuid import UUID

Place = tuple[str, int]
"""Topic and partition."""
Headers = tuple[tuple[bytes, bytes | None], ...]

INGEST = ("mutt.ingest.syslog", "mutt.ingest.snmp", "mutt.ingest.raw")
GOOD = ("alerted", "logged", "ignored", "unhandled")
KINDS = (*GOOD, "shed", "rejected", "missing")
OURS = ("internal_error", "database_value")
"""Reasons of letters that are the product's own fault."""
JUDGED = ("decode", "store", "match")
"""Stages of letters that stand for an ingest record."""
DETECTORS = (
    "lost", "ledger", "stuck", "twice", "counters", "progress", "zombie", "ghost", "alert_lost", "two_ids", "order",
    "decision", "cap", "shed", "blame", "config", "secret", "bytes", "replay",
)  # fmt: skip


class Anomaly(NamedTuple):
    detector: str
    where: str
    detail: str
    reproduce: str = ""
    """The query, or the place in Kafka, that shows it again."""


class Record(NamedTuple):
    """One Kafka record; `at` is the broker's time in ms."""

    offset: int
    at: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class Log(NamedTuple):
    """One partition of a topic as it lies there: records from `begin` up to `end`."""

    begin: int = 0
    end: int = 0
    records: tuple[Record, ...] = ()


class AuditRow(NamedTuple):
    offset: int
    at: int
    """The broker's time, ms."""
    hostname: str
    severity: int | None
    disposition: str
    rule_id: int | None
    rule_version: int | None
    ruleset_version: int
    handling: str | None
    team: str | None
    alert_id: UUID | None
    replay_of: UUID | None
    trap_oid: str | None
    message: str
    flags: tuple[str, ...]
    raw: bytes
    committed: int | None
    """When its transaction committed, µs; None where the server does not tell."""
    xid: int
    """Its transaction."""


class AlertRow(NamedTuple):
    id: UUID
    kind: str
    offset: int
    at: int
    hostname: str
    severity: int
    rule_id: int | None
    team: str
    handling: str
    payload: bytes
    state: str
    attempts: int
    created: int
    settled: int | None
    """Both µs."""


class Letter(NamedTuple):
    """A dead letter; `topic`, `partition`, `offset` are those of the record it stands for."""

    id: UUID
    stage: str
    reason: str
    detail: str
    topic: str
    partition: int
    offset: int
    at: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    rule_id: int | None
    alert_id: UUID | None
    state: str
    replays: int
    replay_id: UUID | None
    replay_of: UUID | None
    replayed: int | None
    """When its replay was judged, µs."""
    failed: int
    """When it failed first, µs."""


class LedgerRow(NamedTuple):
    epoch: int
    first: int
    after: int
    version: int
    counts: Mapping[str, int]
    """By KINDS."""
    audited: int
    alerts: int
    sha256: bytes | None = None
    """Of the last record of the range: key, NUL, value."""


class Standing(NamedTuple):
    epoch: int
    next_offset: int
    halted: str | None


class Move(NamedTuple):
    """One step of a partition's place, as a recorder in the database saw it."""

    old_epoch: int
    epoch: int
    old: int
    new: int
    xid: int
    backend: int


class Epoch(NamedTuple):
    """Between which broker times (ms) the records of an epoch lie, where its log was replaced by another."""

    number: int
    since: int | None = None
    until: int | None = None


class Sent(NamedTuple):
    """A record the producer's journal says is there."""

    offset: int
    number: int
    digest: bytes
    expect: str | None


class Post(NamedTuple):
    """One request that the receiver answered; times in µs."""

    came: int
    at: int
    id: str
    status: int
    sha256: str


@dataclass(slots=True)
class Partition:
    """All there is about one ingest partition."""

    topic: str
    partition: int
    standing: Standing | None = None
    epochs: tuple[Epoch, ...] = (Epoch(0),)
    ledger: list[LedgerRow] = field(default_factory=list)
    audit: list[AuditRow] = field(default_factory=list)
    alerts: list[AlertRow] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)
    """Of the stages that are JUDGED."""
    sli: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Good and total by component."""
    moves: list[Move] = field(default_factory=list)
    """None where nothing recorded them."""
    log: Log | None = None
    """None: the topics were not read."""
    sent: list[Sent] = field(default_factory=list)
    journaled: bool = False
    """Whether there is a journal at all, so that `sent` is all that was sent."""
    acked: tuple[int, ...] = ()
    """Offsets acknowledged to a producer without a journal."""
    halt_expected: bool = False
    forwarded: bool = False

    @property
    def place(self) -> Place:
        return self.topic, self.partition

    def at(self, offset: int) -> str:
        return f"{self.topic}:{self.partition}:{offset}"

    def query(self, table: str, offset: int) -> str:
        """SQL that shows what a table has of an offset."""
        return (
            f"SELECT * FROM {table} WHERE topic = '{self.topic}' AND partition = {self.partition}"
            f' AND "offset" = {offset}'
        )


class LetterFact(NamedTuple):
    """What is kept of every letter while partitions come and go."""

    place: tuple[str, int, int]
    reason: str
    state: str
    replays: int
    replay_id: UUID | None
    replayed: int | None


class AlertFact(NamedTuple):
    """What is kept of every alert: enough to judge its way to the receiver."""

    place: tuple[str, int, int]
    kind: str
    hostname: str
    state: str
    payload: bytes
    """Digest of the record that must lie on mutt.alerts."""
    committed: int | None
    """When the audit row that names it was committed, µs; None where there is none, or the server does not tell."""
    explained: bool
    attempts: int


@dataclass(slots=True)
class World:
    """What belongs to no single partition, and what is kept of those that were looked at."""

    alerts: dict[UUID, AlertFact] = field(default_factory=dict)
    letters: dict[UUID, LetterFact] = field(default_factory=dict)
    bodies: dict[UUID, bytes] = field(default_factory=dict)
    """Digest of key, value and headers of each letter that stands for an ingest record and was not purged."""
    others: list[Letter] = field(default_factory=list)
    """Letters of deliveries and of other tools."""
    posts: list[Post] = field(default_factory=list)
    forwarded: bool = False
    """Whether the receiver's log is known, so that what is not in it never arrived."""
    committed: Mapping[Place, int] = field(default_factory=dict)
    """The match group's offsets in Kafka."""
    replays: list[tuple[UUID, UUID]] = field(default_factory=list)
    """(letter, replay) of every time a replay took a letter."""
    topics_read: bool = False
    copies: dict[UUID, list[tuple[str, int]]] = field(default_factory=lambda: defaultdict(list))
    """Records on ingest topics that name a letter: where, and the broker's time in ms."""
    effects: Counter[UUID] = field(default_factory=Counter)
    """Audit rows and letters that say which letter they were replayed from."""
    waited: list[tuple[int, int | None, UUID]] = field(default_factory=list)
    """From when to when alerts waited, µs."""
    sheds: list[tuple[int, int, str]] = field(default_factory=list)
    """When (µs), how many alerts waited by the letter, and where."""
    retry_max_age: bool = False
    """Whether an operator ever let deliveries expire."""
    unknown: Mapping[bytes, tuple[int, str | None]] = field(default_factory=dict)
    """Digests of what has no answer in the journal: how often, and what was expected of it."""


class Findings:
    """What detectors found, and how much they looked at."""

    def __init__(self, kept: int = 200) -> None:
        self._kept = kept
        self.anomalies: list[Anomaly] = []
        self.found: Counter[str] = Counter()
        self.looked: Counter[str] = Counter()

    def saw(self, what: str, count: int = 1) -> None:
        self.looked[what] += count

    def wrong(self, detector: str, where: str, detail: str, reproduce: str = "") -> None:
        """Notes an anomaly; of each detector all are counted and the first ones kept."""
        assert detector in DETECTORS, detector
        self.found[detector] += 1
        if self.found[detector] <= self._kept:
            self.anomalies.append(Anomaly(detector, where, detail, reproduce))


def digest(key: bytes | None, value: bytes | None, headers: Iterable[tuple[bytes, bytes | None]] = ()) -> bytes:
    """16 bytes that stand for a record's key, value and headers; null and empty differ."""
    known = blake2b(digest_size=16)
    for part in (key, value, *(part for pair in headers for part in pair)):
        known.update(b"-" if part is None else b"%d:" % len(part))
        known.update(part or b"")
    return known.digest()


def show(items: Iterable[Any], most: int = 5) -> str:
    """The first few of something, in words."""
    there = list(items)
    return ", ".join(map(str, there[:most])) + (f" and {len(there) - most} more" if len(there) > most else "")
