"""The tables and servers of histories keep the contracts of the real stores."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from random import Random
from typing import Any, cast

import pytest

from schemas.alerts import Alert, AlertState
from schemas.rows import AUDIT
from schemas.topics import ALERTS, DLQ
from streams.core.alerting import alert_row
from streams.core.work import Decided
from tests.builders import alert
from tests.contracts.backlog import BacklogContract, Waiting
from tests.contracts.batch_store import PLACE, Batches, BatchStoreContract
from tests.contracts.deliveries import NOW, Deliveries, DeliveriesContract
from tests.histories.broker import Broker
from tests.histories.loop import VirtualLoop
from tests.histories.servers import Servers, SimStore
from tests.histories.tables import POISON, RAW, AlertLine, Tables

OFFSET = AUDIT.index("offset")


class AtOnce:
    """What servers ask of their loop, on the loop that runs: no time passes."""

    def time(self) -> float:
        return 0.0

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.get_running_loop().create_future()

    def outside(self, seconds: float, callback: Callable[..., Any], *args: Any) -> None:
        asyncio.get_running_loop().call_soon(callback, *args)


class Simulated:
    """One store of a history, and a look into its tables."""

    def __init__(self) -> None:
        loop = cast(VirtualLoop, AtOnce())
        self.tables = Tables()
        broker = Broker(loop, {ALERTS.name: 1, DLQ.name: 1})
        self.store = self.reader = SimStore(Servers(loop, self.tables, broker, Random(1)), lambda: "worker")

    # -- batches ------------------------------------------------------------------------------------------------

    async def audited(self) -> list[int]:
        commits = [commit for commit in self.tables.commits if commit.place == PLACE]
        return [row[OFFSET] for commit in commits for row in commit.decided.audit]

    async def alerts(self) -> set[uuid.UUID]:
        return set(self.tables.alerts)

    def spoil(self, decided: Decided, at: int) -> None:
        row = decided.audit[at]
        decided.audit[at] = (*row[:RAW], POISON, *row[RAW + 1 :])

    # -- deliveries ---------------------------------------------------------------------------------------------

    async def commit(self, one: Alert) -> None:
        self.tables.alerts[one.id] = AlertLine(alert_row(one, NOW), self.tables.number(), NOW)

    async def replay(self, one: Alert) -> None:
        self.tables.alerts[one.id].state = AlertState.PENDING

    async def letters(self) -> set[uuid.UUID]:
        return set(self.tables.letters)

    async def posts(self) -> tuple[int, int]:
        return self._counted("forwarder")

    async def ends(self) -> tuple[int, int]:
        return self._counted("alert_latency")

    def _counted(self, component: str) -> tuple[int, int]:
        counts = [counts for (name, _), counts in self.tables.sli.items() if name == component]
        return sum(good for good, _ in counts), sum(total for _, total in counts)

    # -- backlog ------------------------------------------------------------------------------------------------

    async def add(self, pending: int, delivered: int = 0) -> None:
        for number in range(pending + delivered):
            one = alert()
            await self.commit(one)
            if number >= pending:
                self.tables.alerts[one.id].state = AlertState.DELIVERED


class TestBatches(BatchStoreContract):
    @pytest.fixture
    def batches(self) -> Batches:
        return Simulated()


class TestDeliveries(DeliveriesContract):
    @pytest.fixture
    def deliveries(self) -> Deliveries:
        return Simulated()


class TestBacklog(BacklogContract):
    @pytest.fixture
    def waiting(self) -> Waiting:
        return Simulated()
