"""What mutt relies on in Kafka and PostgreSQL: what was read, judged; each finding says what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from schemas.topics import ALERTS, MIB, TOPICS, Topic

HOUR_MS = 3_600_000
LONG_ENOUGH_MS = 72 * HOUR_MS
"""A weekend with nobody there: what lies longer than a topic keeps it is gone unread."""
CLOCKS_APART_S = 1.0
CLOCKS_WRONG_S = 30.0
SESSIONS = 100
ANEW = "the topic was made anew, or lost records: look with `mutt ledger verify`, begin again with `mutt ledger reset`"
STRANDED = "publish them again, with the workers stopped: docs/OPERATIONS.md, *Backup and restore*"
GONE = "workers will count them as missing; keep records longer than workers are away and backups are old"

POSTGRES_SETTINGS = (
    "fsync", "full_page_writes", "synchronous_commit", "max_connections", "transaction_read_only", "server_version_num",
)  # fmt: skip


class Verdict(StrEnum):
    OK = "ok"
    WARNING = "warning"
    """It works, and one more thing that goes wrong hurts."""
    WRONG = "wrong"
    """A promise of mutt does not hold."""


class Finding(Struct, frozen=True):
    """One thing that was looked at; `remedy` is empty where all is well."""

    subject: str
    verdict: Verdict
    says: str
    remedy: str = ""


class TopicReading(Struct, frozen=True):
    """A topic on the broker: partitions, the fewest copies that one of them has, and its settings."""

    name: str
    partitions: int
    replicas: int
    config: Mapping[str, str]


class PositionReading(Struct, frozen=True):
    """Where the ledger of an ingest partition stands, and where its log begins and ends; None: no such partition."""

    topic: str
    partition: int
    next_offset: int
    log_begin: int | None
    log_end: int | None


class DeliveryReading(Struct, frozen=True):
    """Records of mutt.alerts that the forwarders have not acknowledged, and alerts that were on it before and wait."""

    unread: int
    waiting: int


class PostgresReading(Struct, frozen=True):
    """Settings of the session, migrations that are not applied, and how many seconds its clock is ahead of ours."""

    settings: Mapping[str, str]
    pending: Sequence[str]
    clock_ahead_s: float


Fault = tuple[Verdict, str, str]
"""What a finding says of a subject that is not well: verdict, words, remedy."""


def judge_postgres(reading: PostgresReading) -> Iterator[Finding]:
    values = reading.settings
    yield _finding(
        "fsync", values["fsync"] == "on", f"fsync is {values['fsync']}",
        Verdict.WRONG, "turn it on: a crash of the machine can lose or spoil what was committed",
    )  # fmt: skip
    yield _finding(
        "full_page_writes", values["full_page_writes"] == "on", f"full_page_writes is {values['full_page_writes']}",
        Verdict.WRONG, "turn it on: a crash of the machine can spoil pages",
    )  # fmt: skip
    yield _finding(
        "synchronous_commit", values["synchronous_commit"] != "off",
        f"synchronous_commit is {values['synchronous_commit']}",
        Verdict.WRONG, "set it to on: alerts leave when their commit is reported, which could still be lost",
    )  # fmt: skip
    yield _finding(
        "writable", values["transaction_read_only"] == "off",
        f"transaction_read_only is {values['transaction_read_only']}",
        Verdict.WRONG, "point MUTT_DATABASE_URL at the primary",
    )  # fmt: skip
    sessions = int(values["max_connections"])
    yield _finding(
        "max_connections", sessions >= SESSIONS, f"{sessions} sessions at most",
        Verdict.WARNING, f"allow {SESSIONS} or more: each process holds up to twenty",
    )  # fmt: skip
    yield _finding(
        "migrations", not reading.pending,
        f"not applied: {', '.join(reading.pending)}" if reading.pending else "all are applied",
        Verdict.WRONG, "run `mutt migrate`",
    )  # fmt: skip
    apart = abs(reading.clock_ahead_s)
    yield _finding(
        "clock", apart <= CLOCKS_APART_S, f"PostgreSQL's is {reading.clock_ahead_s:+.1f} s from this machine's",
        Verdict.WRONG if apart > CLOCKS_WRONG_S else Verdict.WARNING, "set both by NTP (chrony, systemd-timesyncd)",
    )  # fmt: skip


def judge_topics(readings: Sequence[TopicReading]) -> Iterator[Finding]:
    there = {reading.name: reading for reading in readings}
    for topic in TOPICS:
        reading = there.get(topic.name)
        if reading is None:
            yield Finding(topic.name, Verdict.WRONG, "is missing", "run `mutt topics create`")
            continue
        faults = [*_settings_faults(topic, reading), *_copies_faults(reading)]
        yield from (Finding(topic.name, *fault) for fault in faults)
        if not faults:
            yield Finding(topic.name, Verdict.OK, f"{reading.partitions} partitions, {reading.replicas} copies")


def _settings_faults(topic: Topic, reading: TopicReading) -> Iterator[Fault]:
    config = reading.config
    if reading.partitions != topic.partitions:
        says = f"{reading.partitions} partitions, not {topic.partitions}"
        yield Verdict.WARNING, says, "more serve a higher load; when the number changes, hosts move to others"
    limit, needed = int(config["max.message.bytes"]), int(topic.config["max.message.bytes"])
    if limit < needed:
        yield Verdict.WRONG, f"max.message.bytes is {limit:,}", f"set it to {needed} ({needed // MIB} MiB)"
    if config["message.timestamp.type"] != "LogAppendTime":
        says = f"message.timestamp.type is {config['message.timestamp.type']}"
        yield Verdict.WRONG, says, "set it to LogAppendTime: audit rows and ids go by the broker's time"
    if "compact" in config["cleanup.policy"]:
        says = f"cleanup.policy is {config['cleanup.policy']}"
        yield Verdict.WRONG, says, "set it to delete: compaction takes away what nobody has read"
    kept = int(config["retention.ms"])
    if 0 <= kept < LONG_ENOUGH_MS:
        says = f"keeps records for {kept / HOUR_MS:.1f} hours"
        yield Verdict.WARNING, says, "set retention.ms to three days or more: what nobody read by then is lost"


def _copies_faults(reading: TopicReading) -> Iterator[Fault]:
    insync = int(reading.config["min.insync.replicas"])
    says = f"min.insync.replicas is {insync} with {reading.replicas} copies"
    if reading.config["unclean.leader.election.enable"] == "true":
        says = "unclean.leader.election.enable is true"
        yield Verdict.WRONG, says, "set it to false: a copy that lags could lead, and acknowledged records be lost"
    if reading.replicas == 1:
        yield Verdict.WARNING, "has one copy", "give it three, with min.insync.replicas=2: a disk can fail"
    elif insync < 2:
        yield Verdict.WRONG, says, "set it to 2: acknowledged records could lie on one broker alone"
    elif insync >= reading.replicas:
        yield Verdict.WARNING, says, "set it to one less than the copies: a broker must be able to be away"


def judge_positions(readings: Sequence[PositionReading]) -> Iterator[Finding]:
    """Whether the logs reach where the ledger stands: not so after a restore, or when a topic was made anew."""
    faults = [(reading, fault) for reading in readings if (fault := _misplaced(reading)) is not None]
    yield from (Finding(f"{reading.topic}:{reading.partition}", *fault) for reading, fault in faults)
    if not faults:
        yield Finding("ledger", Verdict.OK, f"the logs of {len(readings)} partitions reach where it stands")


def _misplaced(reading: PositionReading) -> Fault | None:
    if reading.log_begin is None or reading.log_end is None:
        return Verdict.WRONG, "the ledger counts a partition that is not there", ANEW
    if reading.log_end < reading.next_offset:
        return Verdict.WRONG, f"the log ends at {reading.log_end}, the ledger stands at {reading.next_offset}", ANEW
    gone = reading.log_begin - reading.next_offset
    if gone > 0:
        return Verdict.WRONG, f"{gone} records are gone that the ledger has not counted", GONE
    return None


def judge_deliveries(reading: DeliveryReading) -> Iterator[Finding]:
    """Whether a forwarder will come to every alert that waits: not so in a database that was restored.

    Forwarders acknowledge what is settled. While they have something to read nothing can be said.
    """
    stranded = 0 if reading.unread else reading.waiting
    says = f"{stranded} alerts wait that no forwarder will read: it has acknowledged all of {ALERTS.name}"
    yield _finding(
        "alerts", not stranded, says if stranded else "every alert is settled or will be", Verdict.WRONG, STRANDED
    )


def _finding(subject: str, fine: bool, says: str, otherwise: Verdict, remedy: str) -> Finding:
    return Finding(subject, Verdict.OK, says) if fine else Finding(subject, otherwise, says, remedy)
