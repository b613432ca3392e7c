"""The fake store of deliveries keeps its contract."""

from __future__ import annotations

import uuid

import pytest
from msgspec.structs import replace

from schemas import codec
from schemas.alerts import Alert, AlertState
from tests.contracts.deliveries import Deliveries, DeliveriesContract
from tests.fakes_forward import FakeDeliveries


class InMemory:
    def __init__(self) -> None:
        self.store = FakeDeliveries()

    async def commit(self, one: Alert) -> None:
        self.store.commit(one.id, codec.encode(one))

    async def replay(self, one: Alert) -> None:
        self.store.rows[one.id] = replace(self.store.rows[one.id], state=AlertState.PENDING)

    async def letters(self) -> set[uuid.UUID]:
        return set(self.store.letters)

    async def posts(self) -> tuple[int, int]:
        return sum(self.store.good.values()), sum(self.store.total.values())

    async def ends(self) -> tuple[int, int]:
        return self.store.on_time, self.store.ended


class TestFakeDeliveries(DeliveriesContract):
    @pytest.fixture
    def deliveries(self) -> Deliveries:
        return InMemory()
