"""Decides over one batch: records in, rows to commit out. Pure: no I/O, no clock, no randomness."""

from __future__ import annotations

import hashlib
import uuid

from msgspec import UNSET, UnsetType, structs

from schemas import codec
from schemas.alerts import Alert
from schemas.dead_letters import DeadLetter, LetterState, Reason
from schemas.errors import RecordRejected
from schemas.events import MESSAGE_LIMIT, Decoded, Disposition, Position, derived_id
from schemas.rows import EPOCH, instant
from schemas.rules import Handling, Rule
from schemas.syslog import host_of_key
from schemas.trace_context import HEADER, traceparent
from streams.core.alerting import alert_for_event, alert_for_signature, alert_row
from streams.core.backpressure import LEAST_SEVERE, PressurePolicy, severity_cut, shed_severity
from streams.core.batches import CorruptBatch, OversizedBatch, Record
from streams.core.letters import header_names
from streams.core.matching import Judgement
from streams.core.reading import Read, Rejected, read_alone, read_together, shown
from streams.core.signatures import SignaturePolicy
from streams.core.work import HALT_AFTER, Decided, Work, fingerprint, replay_header

TOGETHER = 250
"""Records that are read together while they are plain; one that is not makes so many be decoded one by one."""

_LOGGED, _ALERTED, _UNHANDLED = Disposition.LOGGED, Disposition.ALERTED, Disposition.UNHANDLED
"""Looking up a member of an enum runs Python code; these are asked for with every event."""
_IGNORE = Handling.IGNORE


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
        self._topic, self._partition = work.topic.name, work.partition
        self._time_ms = -1
        self._time = EPOCH
        """The broker's time of the record in hand."""

    def run(self) -> Decided:
        out, records = self.out, self.work.records
        covered = 0
        for start in range(0, len(records), TOGETHER):
            part = records[start : start + TOGETHER]
            for at, (record, read) in enumerate(zip(part, read_together(self.work, part), strict=False), start):
                covered += self._cover(record) if read is None else self._settle_read(record, read)
                if out.failed_in_a_row >= HALT_AFTER:
                    self._halt(at)
                    break
            if out.halt is not None:
                break
        work = out.work
        out.missing = work.after - work.first - covered
        if work.records:
            out.last_sha256 = fingerprint(work.records[-1])
        return out

    def _settle_read(self, record: Record, read: Read | Rejected) -> int:
        self._at(record)
        if isinstance(read, Rejected):
            self.out.failed_in_a_row = 0
            self._reject(record, read.reason, read.detail)
        else:
            self._settle(record, read, None)
        return 1

    def _cover(self, record: Record) -> int:
        """Decides over one record; how many offsets that covers."""
        if type(record) is OversizedBatch:
            return self._oversized(record)
        if type(record) is CorruptBatch:
            raise ValueError("a corrupt batch is never decided over")
        self._at(record)
        self._one(record)
        return 1

    def _at(self, record: Record) -> None:
        """The broker's time of what follows; records of one producer batch share theirs."""
        if record.timestamp != self._time_ms:
            self._time_ms = record.timestamp
            self._time = instant(record.timestamp)

    def _halt(self, at: int) -> None:
        """Ends the batch with its record number `at`."""
        out, work = self.out, self.work
        record = work.records[at]
        out.halt = (
            f"a defect in mutt: its own code failed on {HALT_AFTER} records in a row, the last at offset"
            f" {record.offset} ({out.letters[-1].detail[:200]}); their letters have reason internal_error"
        )
        out.work = structs.replace(work, records=work.records[: at + 1], after=record.offset + 1)

    def _one(self, record: Record) -> None:
        if record.offset in self.work.refused:
            self._reject(record, Reason.DATABASE_VALUE, self.work.refused[record.offset])
            return
        replay_of = self._replay_of(record) if record.headers else None
        if replay_of is not None and self._judged_before(replay_of):
            self.counts[Disposition.IGNORED] += 1
            return
        self._settle(record, None, replay_of)
        if replay_of is not None:
            self.out.replayed.append(replay_of)

    def _settle(self, record: Record, read: Read | None, replay_of: uuid.UUID | None) -> None:
        out = self.out
        try:
            decoded, judgement, key = read or read_alone(self.work, record, self._time)
            self._judged(record, decoded, judgement, key, replay_of)
            out.failed_in_a_row = 0
        except RecordRejected as rejected:
            out.failed_in_a_row = 0
            self._reject(record, rejected.reason, rejected.detail)
        except Exception as error:  # noqa: BLE001 - a defect of ours: the record is kept as a letter, 20 in a row halt
            out.failed_in_a_row += 1
            self._reject(record, Reason.INTERNAL_ERROR, f"{type(error).__name__}: {error}")

    def _judged(
        self, record: Record, decoded: Decoded, judgement: Judgement, key: int | None, replay_of: uuid.UUID | None
    ) -> None:
        rule, handling = judgement.rule, judgement.handling
        if key is not None:
            self._unhandled(record, decoded, judgement, key, replay_of)
        elif handling is _IGNORE:
            self.counts[Disposition.IGNORED] += 1
        elif not handling.raises_alert:
            self._audit(record, decoded, judgement, _LOGGED, None, replay_of)
            self.counts[_LOGGED] += 1
        elif (why := self._sheds(decoded, judgement)) is not None:
            self._audit(record, decoded, judgement, Disposition.SHED, None, replay_of)
            self._letter(record, Reason.SHED, why, codec.visible(decoded.event.hostname), rule)
            self.counts[Disposition.SHED] += 1
        else:
            alert = alert_for_event(
                self._position(record), decoded.event, judgement, ruleset_version=self.version,
                occurred_at=decoded.event_time or self._time, trace=_trace(record),
            )  # fmt: skip
            self._audit(record, decoded, judgement, _ALERTED, alert.id, replay_of)
            self._raise(alert)
            self.counts[_ALERTED] += 1

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

    def _unhandled(
        self, record: Record, decoded: Decoded, judgement: Judgement, key: int, replay_of: uuid.UUID | None
    ) -> None:
        event, alert = decoded.event, None
        hostname, message = shown(decoded)
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
                occurred_at=decoded.event_time or self._time,
                trace=_trace(record),
            )
        if alert is not None or self.config.audit_unhandled_events or replay_of is not None:
            self._audit(record, decoded, judgement, _UNHANDLED, alert.id if alert else None, replay_of)
        if alert is not None:
            self._raise(alert)
        self.counts[_UNHANDLED] += 1

    def _raise(self, alert: Alert) -> None:
        self.out.alerts.append(alert)
        self.out.alert_rows.append(alert_row(alert, self._time))

    def _audit(
        self,
        record: Record,
        decoded: Decoded,
        judgement: Judgement,
        disposition: Disposition,
        alert_id: uuid.UUID | None,
        replay_of: uuid.UUID | None,
    ) -> None:
        event, rule, flags = decoded.event, judgement.rule, decoded.flags
        hostname, source, message, raw_sha256 = event.hostname, event.source, event.message, None
        if flags:
            hostname, source = codec.visible(hostname), source and codec.visible(source)
            if len(message) > MESSAGE_LIMIT:
                message = message[:MESSAGE_LIMIT]
                raw_sha256 = hashlib.sha256(record.value or b"").digest()
            message = codec.visible(message)
        rule_id = rule_version = handling = None
        if rule is not None:
            rule_id, rule_version, handling = rule.id, rule.version, judgement.handling
        self.out.audit.append(
            (
                self._topic, self._partition, record.offset, self._time, decoded.event_time, hostname,
                source, event.syslog_severity, disposition, rule_id, rule_version, self.version, handling,
                judgement.team, alert_id, replay_of, event.correlation_id, event.trap_oid, message, list(flags) or None,
                record.value, raw_sha256,
            )
        )  # fmt: skip

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
                topic=self._topic,
                partition=self._partition,
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
        detail = f"offsets {batch.first} to {batch.offset} are one batch that unpacks beyond 32 MiB or 500,000 records"
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
        return Position(self._topic, self._partition, record.offset, record.timestamp)


def _trace(record: Record) -> str | UnsetType:
    if not record.headers:
        return UNSET
    return traceparent(value for name, value in record.headers if name == HEADER) or UNSET
