"""Detector decision: every decision worked out again, from the stored bytes and the rules at their version."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tests.chaos.checker.books import offsets_of
from tests.chaos.checker.evidence import AuditRow, Findings, LedgerRow, Letter, Partition, Record
from tests.chaos.checker.letters import named_letter
from tests.chaos.checker.pressure import wrongly_shed
from tests.chaos.checker.reading import Event, UnreadableError, read, visible
from tests.chaos.checker.rules import SEVERITIES, Book, History, Judged

MESSAGE_LIMIT = 64 * 1024
CHEAP = 20_000_000
"""Rules times records of one partition up to which events without a row are worked out; rows always are."""
UNSURE = "unsure"
Wrong = tuple[str, str, str, str]
"""Which detector, where, what, and how to see it again."""


HOPELESS = 30
"""Faults after which a reading of the history is given up, while another has none."""


@dataclass(slots=True)
class Trial:
    """What a version's decisions look like, if it meant what stood there after so many transactions."""

    step: int
    wrong: list[Wrong] = field(default_factory=list)
    count: int = 0

    def note(self, wrong: Wrong) -> None:
        self.count += 1
        if len(self.wrong) < 20:
            self.wrong.append(wrong)


class Decisions:
    """Takes partition after partition; says at the end what no reading of the history explains."""

    def __init__(self, history: History, out: Findings) -> None:
        self._history, self._out = history, out
        self._trials: dict[int, list[Trial]] = {}

    def take(self, part: Partition) -> None:
        _one_version_a_batch(part, self._out)
        events = _Events(part)
        for version in sorted({row.version for row in part.ledger} | {row.ruleset_version for row in part.audit}):
            trials = self._of(version)
            if not trials:
                where = f"{part.topic}:{part.partition} version {version}"
                self._out.wrong("decision", where, "no history of configuration leads to this version")
            best = min((trial.count for trial in trials), default=0)
            for trial in trials:
                if trial.count <= best + HOPELESS:
                    _try(part, version, self._history.book(trial.step), events, trial)
        self._out.saw("decision", len(part.audit))
        self._out.saw("decisions without a row", events.worked_out)

    def _of(self, version: int) -> list[Trial]:
        """One trial for each content that the version may have meant."""
        if version not in self._trials:
            steps = {self._history.book(step).content: step for step in self._history.candidates(version)}
            self._trials[version] = [Trial(step) for step in steps.values()]
        return self._trials[version]

    def finish(self) -> None:
        for trials in self._trials.values():
            for wrong in min(trials, key=lambda trial: trial.count).wrong if trials else ():
                self._out.wrong(*wrong)


class _Events:
    """The events of a partition, read once for all trials."""

    def __init__(self, part: Partition) -> None:
        self._part = part
        self._of: dict[int, Event | UnreadableError | None] = {}
        self.worked_out = 0

    def of(self, offset: int, key: bytes | None, value: bytes | None) -> Event | UnreadableError | None:
        if offset not in self._of:
            try:
                self._of[offset] = read(self._part.topic, key, value)
            except UnreadableError as error:
                self._of[offset] = error
        return self._of[offset]


def _one_version_a_batch(part: Partition, out: Findings) -> None:
    """One transaction, one rule-set version; and that of the ledger row its offsets lie in."""
    versions: dict[int, int] = {}
    rows = sorted(part.ledger, key=lambda row: (row.epoch, row.first))
    lines = [(row.first, row.after, row.version) for row in rows] if len(part.epochs) == 1 else []
    starts = [line[0] for line in lines]
    for row in part.audit:
        if versions.setdefault(row.xid, row.ruleset_version) != row.ruleset_version:
            detail = f"one batch, versions {versions[row.xid]} and {row.ruleset_version}"
            out.wrong("decision", part.at(row.offset), detail, part.query("audit", row.offset))
        at = bisect_left(starts, row.offset + 1) - 1
        if at >= 0 and row.offset < lines[at][1] and lines[at][2] != row.ruleset_version:
            detail = f"decided by version {row.ruleset_version}, its ledger row says {lines[at][2]}"
            out.wrong("decision", part.at(row.offset), detail, part.query("audit", row.offset))


def _try(part: Partition, version: int, book: Book, events: _Events, trial: Trial) -> None:
    audit = {row.offset: row for row in part.audit if row.ruleset_version == version}
    alerts = {alert.offset: alert.severity for alert in part.alerts}
    letters = {o: letter for letter in part.letters for o in offsets_of(letter)}
    records = {record.offset: record for record in part.log.records} if part.log and len(part.epochs) == 1 else {}
    for row in audit.values():
        record = records.get(row.offset)
        event = events.of(row.offset, record.key if record else None, row.raw)
        for detector, fault in _all_faults(row, event, book, alerts.get(row.offset), letters.get(row.offset)):
            trial.note((detector, part.at(row.offset), fault, part.query("audit", row.offset)))
    cheap = len(book.rules) * len(records) <= CHEAP
    for line in part.ledger if cheap and records else ():
        if line.version == version:
            _unaudited(part, line, book, events, (audit, letters, records), trial)


def _all_faults(
    row: AuditRow, event: Event | UnreadableError | None, book: Book, severity: int | None, letter: Letter | None
) -> Iterator[tuple[str, str]]:
    """By which detector, and what is wrong with an audit row."""
    if isinstance(event, UnreadableError):
        yield "decision", f"decided over, but no event: {event}"
    elif event is not None:
        judged = book.judge(event)
        for fault in _faults(row, event, judged, severity):
            yield "decision", fault
        if row.disposition == "shed" and judged is not None:
            for fault in wrongly_shed(row, letter, judged, book):
                yield "shed", fault


def _faults(row: AuditRow, event: Event, judged: Judged | None, alert_severity: int | None) -> Iterator[str]:
    """In what an audit row differs from what the rules say of its event."""
    if visible(event.hostname) != row.hostname:
        yield f"host {row.hostname!r}, its bytes say {event.hostname!r}"
    if visible(event.message[:MESSAGE_LIMIT]) != row.message:
        yield f"message {row.message[:80]!r}, its bytes say {event.message[:80]!r}"
    if (event.severity, event.trap_oid) != (row.severity, row.trap_oid):
        yield f"severity {row.severity}, OID {row.trap_oid}; its bytes say {event.severity}, {event.trap_oid}"
    if judged is None:
        return
    wanted = (judged.disposition, judged.rule and judged.rule.id, judged.rule and judged.rule.version, judged.handling)
    disposition = "alerted" if row.disposition == "shed" else row.disposition
    if wanted != (disposition, row.rule_id, row.rule_version, row.handling):
        yield (
            f"{row.disposition} by rule {row.rule_id} version {row.rule_version} ({row.handling});"
            f" the rules say {wanted[0]} by rule {wanted[1]} version {wanted[2]} ({wanted[3]})"
        )
    if judged.team != row.team:
        yield f"team {row.team!r}, the rules say {judged.team!r}"
    if row.disposition == "alerted" and alert_severity not in (None, SEVERITIES.index(judged.severity)):
        yield f"alert severity {alert_severity}, the rules say {judged.severity}"


def _unaudited(
    part: Partition, line: LedgerRow, book: Book, events: _Events,
    there: tuple[Mapping[int, AuditRow], Mapping[int, Letter], Mapping[int, Record]], trial: Trial,
) -> None:  # fmt: skip
    """The counts of a ledger row, worked out again from the records of its range."""
    audit, letters, records = there
    keeps_all = book.switch("audit_unhandled_events")
    expected: Counter[str] = Counter()
    wrong: dict[str, list[int]] = defaultdict(list)
    for offset in range(line.first, line.after):
        record = records.get(offset)
        fate = _fate(offset, record, book, events, audit, letters)
        expected[fate] += 1
        if fate in ("alerted", "logged") and offset not in audit:
            wrong[f"{fate} by the rules, but no audit row"].append(offset)
        elif fate == "unhandled" and keeps_all and offset not in audit:
            wrong["unhandled, and no audit row though all are kept"].append(offset)
        elif fate == "unreadable":
            wrong["no event, but no letter"].append(offset)
    if expected["missing"] != line.counts["missing"]:
        return  # the log was cut since: what it had cannot be worked out
    for detail, offsets in wrong.items():
        for offset in offsets[:3]:
            trial.note(("decision", part.at(offset), detail, part.query("audit", offset)))
    _compare(part, line, expected, trial)


def _compare(part: Partition, line: LedgerRow, expected: Counter[str], trial: Trial) -> None:
    unsure = expected[UNSURE]
    counted = Counter(line.counts)
    counted["alerted"] += counted.pop("shed", 0)
    for kind in ("alerted", "logged", "ignored", "unhandled", "rejected"):
        if not expected[kind] <= counted[kind] <= expected[kind] + unsure:
            where = f"{part.topic}:{part.partition} [{line.first}, {line.after})"
            detail = f"{counted[kind]} {kind} by the ledger, {expected[kind]} by the rules ({unsure} unsure)"
            query = (
                f"SELECT * FROM ledger WHERE topic = '{part.topic}' AND partition = {part.partition}"
                f" AND first_offset = {line.first}"
            )
            trial.note(("decision", where, detail, query))


def _fate(
    offset: int, record: Record | None, book: Book, events: _Events, audit: Mapping[int, AuditRow],
    letters: Mapping[int, Letter],
) -> str:  # fmt: skip
    """What must have become of an offset, by KINDS (alerted also where it was shed)."""
    row = audit.get(offset)
    if row is not None:
        return "alerted" if row.disposition == "shed" else row.disposition
    if offset in letters:
        return "rejected"
    if record is None:
        return "missing"
    event = events.of(offset, record.key, record.value)
    if isinstance(event, UnreadableError):
        return "unreadable"
    if event is None or named_letter(record.headers) is not None:
        return UNSURE  # the second copy of a replayed letter is ignored, whatever the rules say
    events.worked_out += 1
    judged = book.judge(event)
    return UNSURE if judged is None else judged.disposition
