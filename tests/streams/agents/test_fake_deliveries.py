"""The fake store of deliveries keeps its contract."""

from __future__ import annotations

import uuid

import pytest

from schemas import codec
from schemas.alerts import Alert
from tests.contracts.deliveries import Deliveries, DeliveriesContract
from tests.fakes_forward import FakeDeliveries


class InMemory:
    def __init__(self) -> None:
        self.store = FakeDeliveries()

    async def commit(self, one: Alert) -> None:
        self.store.commit(one.id, codec.encode(one))

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
