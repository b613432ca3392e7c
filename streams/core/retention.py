"""Retention: what is past its time, what must lie ahead, what a legal hold keeps, and what Kafka may keep."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from schemas.config import BY_NAME, DynamicConfig
from schemas.config_values import snapshot
from schemas.topics import ALERTS, DLQ, INGEST, PARKED, Topic

CLOCK_TOLERANCE = dt.timedelta(seconds=60)
"""Further apart, our clock or the database's is wrong, and nobody can say what is past its time."""
REASON_LIMIT = 500
DAYS_OF_A_YEAR = 366
"""Rather a day too long."""
KEYS = tuple(key.name for key in BY_NAME.values() if key.read_by == "retention")


class Kind(StrEnum):
    """A table that retention takes rows from."""

    AUDIT = "audit"
    """Whole partitions; all others are rows."""
    ALERTS = "alerts"
    DEAD_LETTERS = "dead_letters"
    CONFIG_AUDIT = "config_audit"
    SLI = "sli"


@dataclass(frozen=True, slots=True)
class Policies:
    """How long each table keeps its rows, and the archive its files."""

    days: Mapping[Kind, int]
    archive_years: int
    enforced: bool
    """False: nothing is taken out, only reported."""

    def cutoff(self, kind: Kind, now: dt.datetime) -> dt.datetime:
        """Rows whose time is before it are past theirs."""
        return now - dt.timedelta(days=self.days[kind])

    def archive_cutoff(self, now: dt.datetime) -> dt.datetime:
        """Archives whose newest row is before it are past their time."""
        return now - dt.timedelta(days=self.archive_years * DAYS_OF_A_YEAR)


def policies(stored: Mapping[str, str]) -> Policies:
    """The policies from what is stored of the dynamic configuration.

    Raises ConfigRefused where a key of retention has a value that is none: its default may be shorter than what
    somebody meant, and what is deleted stays deleted. Other keys do not matter here.
    """
    return _policies(snapshot({name: text for name, text in stored.items() if name in KEYS}))


def _policies(config: DynamicConfig) -> Policies:
    days = {
        Kind.AUDIT: config.event_retention_days,
        Kind.ALERTS: config.alert_retention_days,
        Kind.DEAD_LETTERS: config.dlq_retention_days,
        Kind.CONFIG_AUDIT: config.config_audit_retention_days,
        Kind.SLI: config.metrics_retention_days,
    }
    return Policies(days, config.event_archive_retention_years, config.retention_enforcement_enabled)


@dataclass(frozen=True, slots=True)
class Part:
    """A partition of the audit: rows from `low` on, before `high`."""

    name: str
    low: dt.datetime
    high: dt.datetime


def expired(parts: Iterable[Part], cutoff: dt.datetime) -> list[Part]:
    """The parts all of whose rows are past their time, oldest first."""
    return sorted((part for part in parts if part.high <= cutoff), key=lambda part: part.low)


def months_due(parts: Iterable[Part], now: dt.datetime, ahead: int) -> list[dt.date]:
    """First days of the months, this one and so many ahead, that have no part yet. `now` in UTC."""
    there = {part.low.date() for part in parts}
    months = (month_after(now.date(), distance) for distance in range(ahead + 1))
    return [month for month in months if month not in there]


def months_ahead(parts: Iterable[Part], now: dt.datetime) -> int:
    """How many months after this one follow each other without a hole."""
    there = {part.low.date() for part in parts}
    ahead = 0
    while month_after(now.date(), ahead + 1) in there:
        ahead += 1
    return ahead


def month_after(day: dt.date, months: int) -> dt.date:
    """The first day of the month so many months after that of `day`."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return dt.date(year, month + 1, 1)


def part_name(month: dt.date) -> str:
    """As the database names it (`create_audit_partition`)."""
    return f"audit_{month:%Y_%m}"


@dataclass(frozen=True, slots=True)
class Hold:
    """What must not be deleted, whatever the policies say: None means all tables, hosts, or times on that side."""

    id: int
    reason: str
    set_by: str
    set_at: dt.datetime
    kind: Kind | None = None
    hostname: str | None = None
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    lifted_at: dt.datetime | None = None
    lifted_by: str | None = None
    lift_reason: str | None = None

    def touches(self, kind: Kind, low: dt.datetime, high: dt.datetime) -> bool:
        """Whether it may keep a row of that table with a time from `low` on, before `high`; its host is not asked."""
        in_time = (self.since is None or self.since < high) and (self.until is None or self.until > low)
        return self.lifted_at is None and in_time and (self.kind is None or self.kind is kind)


def hold_problems(
    reason: str, since: dt.datetime | None, until: dt.datetime | None, hostname: str | None
) -> Iterator[str]:
    """What is wrong with a hold that somebody wants to set: a line a fault."""
    yield from reason_problems(reason)
    if since is not None and until is not None and since >= until:
        yield "the end of a hold must lie after its beginning"
    if hostname is not None and not 1 <= len(hostname) <= 255:
        yield "a host name has 1 to 255 characters"


def reason_problems(reason: str) -> Iterator[str]:
    if not 1 <= len(reason.strip()) <= REASON_LIMIT or "\0" in reason:
        yield f"the reason must be 1 to {REASON_LIMIT} characters without NUL"


def clock_problem(ours: dt.datetime, theirs: dt.datetime) -> str | None:
    """Why the time of day cannot be relied on, or None."""
    if abs(ours - theirs) <= CLOCK_TOLERANCE:
        return None
    apart = round(abs(ours - theirs).total_seconds())
    return f"this machine's clock and the database's are {apart} s apart; nothing is deleted by a clock that is wrong"


_BOUND_BY: Sequence[tuple[Topic, Kind]] = (
    *((topic, Kind.AUDIT) for topic in INGEST),
    (ALERTS, Kind.ALERTS),
    (DLQ, Kind.DEAD_LETTERS),
    (PARKED, Kind.DEAD_LETTERS),
)


def topic_problems(rules: Policies, configs: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Topics that keep records longer than the table of the same data keeps its rows.

    What was deleted would still lie there; and a letter read from `mutt.dlq` again would be open again. `configs` are
    the brokers' settings by topic; a topic that is not there is none of ours to report.
    """
    return [line for topic, kind in _BOUND_BY for line in _kept_longer(topic.name, rules.days[kind], configs)]


def _kept_longer(topic: str, days: int, configs: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    config = configs.get(topic)
    if config is None:
        return
    if "delete" not in config.get("cleanup.policy", "delete"):
        yield f"{topic} never deletes (cleanup.policy={config['cleanup.policy']}), its policy is {days} days"
        return
    kept_ms = int(config.get("retention.ms", "-1"))
    if kept_ms < 0:
        yield f"{topic} keeps its records for ever (retention.ms={kept_ms}), its policy is {days} days"
    elif kept_ms > days * 86_400_000:
        yield f"{topic} keeps its records {kept_ms / 86_400_000:.1f} days, its policy is {days} days"


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that a run does, or would do."""

    do: str
    """create; archive, detach and drop a partition; delete rows, archived piece by piece; forget an archive; discard
    what a killed run left of one; keep."""
    what: str
    rows: int | None = None
    why: str | None = None

    def __str__(self) -> str:
        rows = "" if self.rows is None else f" ({self.rows} rows)"
        return f"{self.do:<8} {self.what}{rows}{f': {self.why}' if self.why else ''}"


def taking_out(part: str, rows: int | None, done: str | None = None) -> list[Action]:
    """The steps that take a part out, from where an earlier run left it: None, `verified` or `detached`."""
    steps = (Action("archive", part, rows), Action("detach", part), Action("drop", part))
    return list(steps[{None: 0, "verified": 1, "detached": 2}[done] :])


def held_by(holds: Sequence[Hold]) -> str:
    """Why something is kept, in words."""
    return "legal hold " + ", ".join(str(hold.id) for hold in holds)
