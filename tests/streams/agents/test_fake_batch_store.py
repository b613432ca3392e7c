"""The fake store of batches keeps its contract."""

from __future__ import annotations

import uuid

import pytest

from schemas.rows import ALERTS, AUDIT
from streams.core.work import Decided
from tests.contracts.batch_store import Batches, BatchStoreContract
from tests.fakes_match import FakeBatchStore

OFFSET, ALERT_ID = AUDIT.index("offset"), ALERTS.index("id")


class InMemory:
    def __init__(self) -> None:
        self.store = FakeBatchStore()

    async def audited(self) -> list[int]:
        return [row[OFFSET] for row in self.store.audit]

    async def alerts(self) -> set[uuid.UUID]:
        return {row[ALERT_ID] for row in self.store.alerts}

    def spoil(self, decided: Decided, at: int) -> None:
        self.store.refuse.add(decided.audit[at][OFFSET])


class TestFakeBatchStore(BatchStoreContract):
    @pytest.fixture
    def batches(self) -> Batches:
        return InMemory()
