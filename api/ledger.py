"""/api/v2/ledger: where every ingest partition stands, what became of its offsets, and whether the books balance."""

from __future__ import annotations

import datetime as dt

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from api import lists
from api.balance import Balance, Checked
from api.cursors import Cursors
from api.lists import Listing
from api.metrics import ApiMetrics
from api.problem_types import ProblemType
from api.problems import JsonResponse, Problem
from api.queries import QueryReader
from api.routes import ApiRoute
from schemas.scopes import Scope
from streams.adapters.ledger import LedgerReads, PartitionBooks

PATH = "/api/v2/ledger"
NO_PARTITION = "no worker has read such a partition"
LARGEST_PARTITION = 2**31 - 1
MOST_FAULTS = 100
"""Faults named for each partition."""


class LedgerFault(Struct, frozen=True):
    """A range of offsets that does not add up, and why."""

    epoch: int
    first_offset: int
    next_offset: int
    problem: str


class PartitionLedger(Struct, frozen=True, kw_only=True):
    """One partition in its current epoch: every offset from `first_offset` to before `next_offset` is accounted for."""

    topic: str
    partition: int
    epoch: int
    first_offset: int | None
    next_offset: int
    ranges: int
    """Rows of the ledger."""
    counts: dict[str, int]
    """Offsets by disposition, and those that were missing."""
    audited: int
    alerts: int
    last_minute: dt.datetime | None
    updated_at: dt.datetime
    halted_at: dt.datetime | None
    halted_reason: str | None
    lag: int | None
    """Records not decided yet, as of the last check."""
    balanced: bool | None
    """Whether the last check found no fault; null where there was none yet."""
    faults: list[LedgerFault]


class LedgerBooks(Struct, frozen=True):
    items: list[PartitionLedger]
    balanced: bool | None
    checked_at: dt.datetime | None


class LedgerRow(Struct, frozen=True, kw_only=True):
    """One range of a partition: of one minute and one version of the rules."""

    first_offset: int
    next_offset: int
    minute: dt.datetime
    ruleset_version: int
    ruleset_digest: str
    alerted: int
    logged: int
    ignored: int
    unhandled: int
    shed: int
    rejected: int
    missing: int
    audited: int
    alerts: int


ROWS = Listing(item=LedgerRow, sorts={"first_offset": "first_offset"}, default="-first_offset")


class LedgerOfPartitions:
    def __init__(self, reads: LedgerReads, balance: Balance, cursors: Cursors, metrics: ApiMetrics) -> None:
        self._reads = reads
        self._balance = balance
        self._cursors = cursors
        self._metrics = metrics

    def routes(self) -> tuple[ApiRoute, ...]:
        return (
            ApiRoute(
                method="GET",
                path=PATH,
                endpoint=self.show,
                scope=Scope.EVENTS_READ,
                summary="The books of every partition",
                description="The check is that of `mutt ledger verify`, made anew when it is older than 30 seconds.",
                answer=LedgerBooks,
            ),
            ApiRoute(
                method="GET",
                path=PATH + "/{topic}/{partition:int}",
                endpoint=self.rows,
                scope=Scope.EVENTS_READ,
                summary="The ranges of one partition, in its current epoch",
                query=ROWS.query,
                answer=ROWS.answer,
            ),
        )

    async def show(self, request: Request) -> Response:
        QueryReader(request.query_params).finish()
        with self._metrics.timed("ledger"):
            books = await self._reads.show()
        checked = await self._balance.last()
        items = [_shown(row, checked) for row in books]
        balanced = not checked.books.faults if checked else None
        return JsonResponse(LedgerBooks(items, balanced, checked.at if checked else None))

    async def rows(self, request: Request) -> Response:
        topic, partition = request.path_params["topic"], request.path_params["partition"]
        asked = lists.asked(request, QueryReader(request.query_params), ROWS, self._cursors)
        with self._metrics.timed("ledger"):
            page = None
            if partition <= LARGEST_PARTITION:
                page = await self._reads.rows(topic, partition, sort=asked.sort, after=asked.after, limit=asked.limit)
        if page is None:
            raise Problem(ProblemType.NOT_FOUND, NO_PARTITION)
        shown = (LedgerRow(**{name: row[name] for name in LedgerRow.__struct_fields__}) for row in page.items)
        return lists.answer(asked, shown, page.next, self._cursors)


def _shown(row: PartitionBooks, checked: Checked | None) -> PartitionLedger:
    place = (row.topic, row.partition)
    standings = checked.books.standings if checked else []
    found = [fault for fault in checked.books.faults if (fault.topic, fault.partition) == place] if checked else []
    known = any((standing.topic, standing.partition) == place for standing in standings)
    return PartitionLedger(
        topic=row.topic,
        partition=row.partition,
        epoch=row.epoch,
        first_offset=row.first_offset,
        next_offset=row.next_offset,
        ranges=row.ledger_rows,
        counts=dict(row.counts),
        audited=row.audited,
        alerts=row.alerts,
        last_minute=row.last_minute,
        updated_at=row.updated_at,
        halted_at=row.halted_at,
        halted_reason=row.halted_reason,
        lag=next((one.lag for one in standings if (one.topic, one.partition) == place), None),
        balanced=not found if known else None,
        faults=[LedgerFault(f.epoch, f.first_offset, f.next_offset, f.problem) for f in found[:MOST_FAULTS]],
    )
