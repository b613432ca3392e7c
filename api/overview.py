"""GET /api/v2/overview: whether events flow, where they end, and what stands in their way."""

from __future__ import annotations

import datetime as dt

from msgspec import Struct

from api.gate import Now
from api.lag import LagPoint, LagTrend
from api.metrics import ApiMetrics
from api.shared_answer import SharedAnswer
from schemas.alerts import AlertState
from schemas.events import Disposition
from schemas.scopes import Scope
from streams.adapters.overview import Overview, OverviewReads

PATH = "/api/v2/overview"
HOLDS_S = 1.0
LENGTH = dt.timedelta(hours=1)

MATCHED = (Disposition.ALERTED, Disposition.LOGGED, Disposition.IGNORED, Disposition.SHED)
"""What a rule decided, or a first copy that was replayed before."""


class Funnel(Struct, frozen=True):
    """The way of the hour's events. The first three are the ledger's, the last is of the alerts raised in that hour."""

    received: int
    matched: int
    alerted: int
    delivered: int


class PausedPartition(Struct, frozen=True):
    """One partition of which nothing is taken, and why."""

    topic: str
    partition: int
    reason: str
    since: dt.datetime
    worker: str | None
    detail: str | None


class OperatorsWord(Struct, frozen=True):
    """Whether an operator paused the intake; who changed that last, when and why."""

    paused: bool
    by: str | None
    since: dt.datetime | None
    why: str | None


class OverviewAnswer(Struct, frozen=True, kw_only=True):
    as_of: dt.datetime
    since: dt.datetime
    """Counts begin with the minute that begins here."""
    ended: dict[str, int]
    """Events by what became of them, and offsets that were missing."""
    complete: bool
    """False where the rules changed so often that the oldest minutes are not in the counts."""
    funnel: Funnel
    alerts: dict[str, int]
    """Alerts raised since then by state."""
    waiting: int
    """Alerts that wait for delivery, whenever they were raised, counted no further than the hard limit."""
    warn_at: int
    shed_at: int
    dead_letters: dict[str, int]
    """Open ones by reason, whenever they failed."""
    lag: list[LagPoint]
    """Records that waited to be decided, in the last hour of this process, the oldest first."""
    paused: list[PausedPartition]
    operator: OperatorsWord


def overview_of_all(reads: OverviewReads, lag: LagTrend, metrics: ApiMetrics, now: Now) -> SharedAnswer:
    async def read() -> OverviewAnswer:
        at = now()
        since = (at - LENGTH).replace(second=0, microsecond=0)
        with metrics.timed("overview"):
            return shown(await reads.show(since), at, lag.points)

    return SharedAnswer(
        read,
        holds_s=HOLDS_S,
        path=PATH,
        scope=Scope.EVENTS_READ,
        summary="Whether events flow: the last hour, what waits, and what is paused",
        answer=OverviewAnswer,
    )


def shown(found: Overview, now: dt.datetime, lag: list[LagPoint]) -> OverviewAnswer:
    config, operator = found.pauses.config, found.pauses.operator
    return OverviewAnswer(
        as_of=now,
        since=found.since,
        ended=dict(found.ended),
        complete=found.complete,
        funnel=_funnel(found),
        alerts={state.value: found.alerts.get(state, 0) for state in AlertState},
        waiting=found.pauses.backlog,
        warn_at=config.alerter_queue_warn_threshold,
        shed_at=config.alerter_queue_shed_threshold,
        dead_letters=dict(found.letters),
        lag=lag,
        paused=[PausedPartition(*(getattr(one, name) for name in PausedPartition.__struct_fields__))
                for one in found.pauses.pauses],
        operator=OperatorsWord(operator.paused, operator.by, operator.since, operator.why),
    )  # fmt: skip


def _funnel(found: Overview) -> Funnel:
    return Funnel(
        received=sum(found.ended[one] for one in Disposition),
        matched=sum(found.ended[one] for one in MATCHED),
        alerted=found.ended[Disposition.ALERTED],
        delivered=found.alerts.get(AlertState.DELIVERED, 0),
    )
