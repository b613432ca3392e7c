"""Stores behind a guard: a server that is away is 503, then not even asked; what it refuses opens nothing."""

from __future__ import annotations

import asyncpg
import pytest

from api.circuit import Circuit
from api.guard import Guard
from api.guarded_transactions import GuardedTransactions
from api.metrics import ApiMetrics
from api.turns import Turns
from schemas.errors import KnownDown, NotFound, StoreUnavailable
from streams.adapters.rule_store import RuleStore
from streams.core.authors import Author
from streams.core.breaker import BreakerPolicy
from tests.builders import rule

FAILURES = 3
NOWHERE = "postgresql://mutt@127.0.0.1:1/mutt"


@pytest.fixture
def guard() -> Guard:
    circuit = Circuit("postgresql", BreakerPolicy(FAILURES, 60.0), ApiMetrics(), clock=lambda: 0.0)
    return Guard(circuit, Turns(2, waiting=2, within_s=1.0))


async def test_a_server_that_is_away_is_asked_so_often_and_no_more(guard: Guard) -> None:
    async with asyncpg.create_pool(NOWHERE, min_size=0, max_size=1) as pool:
        rules = RuleStore(GuardedTransactions(pool, guard))
        for _ in range(FAILURES):
            with pytest.raises(StoreUnavailable):
                await rules.every()
        with pytest.raises(KnownDown):
            await rules.create(rule(), Author("ann"))


async def test_what_is_refused_says_nothing_of_the_server(guard: Guard) -> None:
    for _ in range(FAILURES + 1):
        with pytest.raises(NotFound):
            async with guard.asked():
                raise NotFound("Rule not found")
