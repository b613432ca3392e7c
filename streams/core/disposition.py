"""Decides over one batch: records in, rows to commit out. Pure: no I/O, no clock, no randomness."""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from collections.abc import Mapping, Sequence

from msgspec import Struct, field, structs

from schemas import codec
from schemas.alerts import Alert
from schemas.dead_letters import REPLAY_HEADER, DeadLetter, LetterState, Reason
from schemas.errors import RecordRejected
from schemas.events import MESSAGE_LIMIT, Decoded, Disposition, Flag, Position, derived_id
from schemas.rows import EPOCH, Row, instant
from schemas.rules import Handling, Rule
from schemas.syslog import host_of_key
from schemas.topics import Topic
from streams.core.alerting import alert_for_event, alert_for_signature, alert_row
from streams.core.backpressure import LEAST_SEVERE, PressurePolicy, severity_cut, shed_severity
from streams.core.batches import CorruptBatch, OversizedBatch, Record
from streams.core.letters import header_names
from streams.core.matching import Judgement, Knowledge
from streams.core.signatures import SignatureBook, SignatureDraft, SignaturePolicy, signature

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


def decide(work: Work) -> Decided:
    """The fate of every record of the batch. Same input, same answer (I5)."""
    return _Decision(work).run()


class _Decision:
    """The state of one pass over a batch."""

    def __init__(self, work: Work) -> None:
        self.work = work
        rules = work.knowledge.rule_set
        self.config = rules.config
        self.version = rules.version
        self.policy = SignaturePolicy(self.config.unhandled_threshold, self.config.unhandled_expiry_seconds)
        self.pressure = PressurePolicy.of(self.config)
        self.counts = dict.fromkeys(Disposition, 0)
        self.out = Decided(
            work=work, counts=self.counts, missing=0, signatures=work.book.draft(), failed_in_a_row=work.failed_before
        )
        self._time_ms = -1
        self._time = EPOCH

    def run(self) -> Decided:
        out, work = self.out, self.work
        covered = 0
        for at, record in enumerate(work.records):
            if type(record) is OversizedBatch:
                covered += self._oversized(record)
                continue
            if type(record) is CorruptBatch:
                raise ValueError("a corrupt batch is never decided over")
            covered += 1
            self._one(record)
            if out.failed_in_a_row >= HALT_AFTER:
                out.halt = (
                    f"a defect in mutt: its own code failed on {HALT_AFTER} records in a row, the last at offset"
                    f" {record.offset} ({out.letters[-1].detail[:200]}); their letters have reason internal_error"
                )
                out.work = work = structs.replace(work, records=work.records[: at + 1], after=record.offset + 1)
                break
        out.missing = work.after - work.first - covered
        if work.records:
            out.last_sha256 = fingerprint(work.records[-1])
        return out

    def _one(self, record: Record) -> None:
        if record.offset in self.work.refused:
            self._reject(record, Reason.DATABASE_VALUE, self.work.refused[record.offset])
            return
        replay_of = self._replay_of(record) if record.headers else None
        if replay_of is not None and self._judged_before(replay_of):
            self.counts[Disposition.IGNORED] += 1
            return
        try:
            decoded = codec.decode(record.value, self.work.topic, record.key, self._broker_time(record))
            judgement = self.work.knowledge.judge(decoded.event)
            self._judged(record, decoded, judgement, replay_of)
            self.out.failed_in_a_row = 0
        except RecordRejected as rejected:
            self.out.failed_in_a_row = 0
            self._reject(record, rejected.reason, rejected.detail)
        except Exception as error:  # noqa: BLE001 - a defect of ours: the record is kept as a letter, 20 in a row halt
            self.out.failed_in_a_row += 1
            self._reject(record, Reason.INTERNAL_ERROR, f"{type(error).__name__}: {error}")
        if replay_of is not None:
            self.out.replayed.append(replay_of)

    def _judged(self, record: Record, decoded: Decoded, judgement: Judgement, replay_of: uuid.UUID | None) -> None:
        event, rule = decoded.event, judgement.rule
        if rule is None:
            self._unhandled(record, decoded, judgement, replay_of)
            return
        if judgement.handling is Handling.IGNORE:
            self.counts[Disposition.IGNORED] += 1
            return
        if not judgement.handling.raises_alert:
            self._audit(record, decoded, judgement, Disposition.LOGGED, None, replay_of)
            self.counts[Disposition.LOGGED] += 1
            return
        if (why := self._sheds(decoded, judgement)) is not None:
            self._audit(record, decoded, judgement, Disposition.SHED, None, replay_of)
            self._letter(record, Reason.SHED, why, codec.visible(event.hostname), rule)
            self.counts[Disposition.SHED] += 1
            return
        position = self._position(record)
        alert = alert_for_event(
            position, event, judgement, ruleset_version=self.version, occurred_at=self._occurred_at(record, decoded)
        )
        self._audit(record, decoded, judgement, Disposition.ALERTED, alert.id, replay_of)
        self._raise(alert, record)
        self.counts[Disposition.ALERTED] += 1

    def _sheds(self, decoded: Decoded, judgement: Judgement) -> str | None:
        """Why this alert is one too many, None if it is not. A meta-alert never is: it stands for a whole storm."""
        depth = self.work.depth + len(self.out.alerts)
        if self.pressure.defers or (cut := severity_cut(depth, self.pressure)) is None:
            return None
        severity = shed_severity(decoded.event.syslog_severity, judgement.severity)
        return (
            f"{depth} alerts waited: severity {cut} to {LEAST_SEVERE} is shed, this is {severity}"
            if severity >= cut
            else None
        )

    def _unhandled(self, record: Record, decoded: Decoded, judgement: Judgement, replay_of: uuid.UUID | None) -> None:
        event = decoded.event
        hostname, message = event.hostname, event.message
        if decoded.flags:
            hostname, message = codec.visible(hostname), codec.visible(message)
        key = signature(hostname, message)
        alert = None
        crossed = self.out.signatures.observe(key, hostname, message, record.timestamp, self.policy)
        if crossed is not None:
            alert = alert_for_signature(
                self._position(record),
                event,
                crossed,
                template_hash=key,
                team=judgement.team,
                window_s=self.policy.window_s,
                ruleset_version=self.version,
                occurred_at=self._occurred_at(record, decoded),
            )
        if alert is not None or self.config.audit_unhandled_events or replay_of is not None:
            self._audit(record, decoded, judgement, Disposition.UNHANDLED, alert.id if alert else None, replay_of)
        if alert is not None:
            self._raise(alert, record)
        self.counts[Disposition.UNHANDLED] += 1

    def _raise(self, alert: Alert, record: Record) -> None:
        self.out.alerts.append(alert)
        self.out.alert_rows.append(alert_row(alert, self._broker_time(record)))

    def _audit(
        self,
        record: Record,
        decoded: Decoded,
        judgement: Judgement,
        disposition: Disposition,
        alert_id: uuid.UUID | None,
        replay_of: uuid.UUID | None,
    ) -> None:
        event, rule = decoded.event, judgement.rule
        hostname, source, message, raw_sha256 = event.hostname, event.source, event.message, None
        flags = self._flags(record, decoded)
        if flags is not None:
            hostname, source = codec.visible(hostname), source and codec.visible(source)
            if len(message) > MESSAGE_LIMIT:
                message = message[:MESSAGE_LIMIT]
                raw_sha256 = hashlib.sha256(record.value or b"").digest()
            message = codec.visible(message)
        rule_id = rule_version = handling = None
        if rule is not None:
            rule_id, rule_version, handling = rule.id, rule.version, judgement.handling
        work = self.work
        self.out.audit.append(
            (
                work.topic.name, work.partition, record.offset, self._broker_time(record), decoded.event_time, hostname,
                source, event.syslog_severity, disposition, rule_id, rule_version, self.version, handling,
                judgement.team, alert_id, replay_of, event.correlation_id, event.trap_oid, message, flags, record.value,
                raw_sha256,
            )
        )  # fmt: skip

    @staticmethod
    def _flags(record: Record, decoded: Decoded) -> list[Flag] | None:
        """What is unusual about the event, None for nothing: texts without flags need no second look."""
        key = record.key
        if key is None or key == decoded.event.hostname.encode("utf-8", "surrogatepass"):
            return list(decoded.flags) or None
        return [*decoded.flags, Flag.KEY_MISMATCH]

    def _reject(self, record: Record, reason: Reason, detail: str) -> None:
        self.counts[Disposition.REJECTED] += 1
        self._letter(record, reason, detail, host_of_key(record.key) or codec.named_host(record.value))

    def _letter(
        self, record: Record, reason: Reason, detail: str, hostname: str | None, rule: Rule | None = None
    ) -> None:
        self.out.letters.append(
            DeadLetter(
                id=derived_id("letter", self._position(record)),
                reason=reason,
                detail=detail[:2000],
                topic=self.work.topic.name,
                partition=self.work.partition,
                offset=record.offset,
                timestamp=record.timestamp,
                key=record.key,
                value=record.value,
                headers=header_names(record.headers),
                hostname=hostname,
                rule_id=rule.id if rule is not None else None,
                first_failed_at=self.work.now,
                last_failed_at=self.work.now,
            )
        )

    def _oversized(self, batch: OversizedBatch) -> int:
        """A batch too large to unpack: all its offsets are rejected, one letter keeps it as it lies in the log."""
        count = batch.offset - batch.first + 1
        detail = f"offsets {batch.first} to {batch.offset} are one batch that unpacks beyond 32 MiB"
        self._reject(batch, Reason.TOO_LARGE, detail)
        self.counts[Disposition.REJECTED] += count - 1
        return count

    def _replay_of(self, record: Record) -> uuid.UUID | None:
        """The letter this record replays, if its header names one whose replay is in progress or done (H3)."""
        letter = replay_header(record)
        known = letter is not None and self.work.replays.get(letter)
        return letter if known in (LetterState.REPLAYING, LetterState.REPLAYED) else None

    def _judged_before(self, letter: uuid.UUID) -> bool:
        """Whether this is a second copy of a replayed letter: it has no effect."""
        return self.work.replays[letter] is LetterState.REPLAYED or letter in self.out.replayed

    def _position(self, record: Record) -> Position:
        return Position(self.work.topic.name, self.work.partition, record.offset, record.timestamp)

    def _broker_time(self, record: Record) -> dt.datetime:
        """Records of one producer batch share their time: compute it once."""
        if record.timestamp != self._time_ms:
            self._time_ms = record.timestamp
            self._time = instant(record.timestamp)
        return self._time

    def _occurred_at(self, record: Record, decoded: Decoded) -> dt.datetime:
        return decoded.event_time or self._broker_time(record)


def replay_header(record: Record) -> uuid.UUID | None:
    """The letter id in a record's last `mutt.dlq.id` header, where it is one."""
    for name, value in reversed(record.headers):
        if name == REPLAY_HEADER:
            try:
                return uuid.UUID((value or b"").decode("ascii"))
            except (ValueError, UnicodeDecodeError):
                return None
    return None
