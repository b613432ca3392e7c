"""Remediation's adapters on PostgreSQL and Kafka: their contracts, what the tables say, and a lock that is lost."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer

from ops.devstack.stack import Stack
from schemas.alerts import AlertState
from schemas.dead_letters import Reason
from schemas.rows import ALERTS
from streams.adapters.dead_letters import DeadLetters
from streams.adapters.deliveries import PostgresDeliveries
from streams.adapters.letter_desk import LetterDesk
from streams.adapters.letter_filters import filter_values
from streams.adapters.letter_log import COME_BACK
from streams.adapters.letter_replays import RemediationReplays
from streams.adapters.locks import lock, lock_key
from streams.adapters.parked_letters import KafkaParkedOutbox
from streams.adapters.publisher import create_producer
from streams.adapters.replay_claims import CLAIM, Replays
from streams.core.alerting import alert_row
from streams.core.letters import CUT_MARK
from streams.core.remediation import ACTOR, Posts
from streams.core.replay import LetterFilter, ReplayPolicy
from tests.builders import alert, dead_letter
from tests.contracts.deliveries import NOW, died, letter_of, settlement
from tests.contracts.letter_replays import LetterReplaysContract, Letters, counts, last
from tests.contracts.parked_outbox import Parked, ParkedOutboxContract
from tests.integration.conftest import Database
from tests.integration.pipeline import configure, until

SHED = LetterFilter(reasons=(Reason.SHED,))


@pytest_asyncio.fixture
async def producer(broker: Stack) -> AsyncIterator[AIOKafkaProducer]:
    producer = create_producer(broker.kafka.bootstrap)
    await producer.start()
    yield producer
    await producer.stop()


class InTables:
    """Letters of ingest records, judged by statements as the match worker's."""

    def __init__(self, pool: Any, producer: AIOKafkaProducer) -> None:
        self.pool = pool
        self.replays = RemediationReplays(pool, producer)

    async def add(self, count: int, reason: Reason = Reason.SHED, *, replays: int = 0, cut: bool = False) -> None:
        detail = f"{CUT_MARK} a value" if cut else "as told"
        letters = [dead_letter(offset=n, reason=reason, replays=replays, detail=detail) for n in range(count)]
        await DeadLetters(self.pool).insert_absent(letters, NOW)

    async def judge(self, *, well: int = 0, badly: int = 0) -> None:
        rows = await self.pool.fetch(
            "UPDATE dead_letters SET state = 'replayed' WHERE id IN"
            " (SELECT id FROM dead_letters WHERE state = 'replaying' LIMIT $1) RETURNING id",
            well + badly,
        )
        again = {row["id"]: dead_letter() for row in rows[well:]}
        await DeadLetters(self.pool).insert_absent(list(again.values()), NOW)
        await self.pool.execute(COME_BACK, [letter.id for letter in again.values()], list(again))

    async def parked(self) -> int:
        return int(await self.pool.fetchval("SELECT count(*) FROM dead_letters WHERE state = 'parked'"))

    async def switch(self) -> None:
        for value in ("false", "true"):
            await configure(self.pool, "remediation_enabled", value)

    async def take(self, count: int) -> None:
        replays = Replays(self.pool)
        await replays.claim(await replays.begin(uuid.uuid4(), ACTOR, None, SHED), ReplayPolicy(), None, count)


class TestRemediationReplays(LetterReplaysContract):
    @pytest.fixture
    def letters(self, database: Database, producer: AIOKafkaProducer) -> Letters:
        return InTables(database.pool, producer)


class TestKafkaParkedOutbox(ParkedOutboxContract):
    @pytest.fixture
    def parked(self, database: Database, producer: AIOKafkaProducer) -> Parked:
        class Table:
            outbox = KafkaParkedOutbox(database.pool, producer)
            desk = LetterDesk(database.pool, actor="me")

            async def park(self, count: int) -> None:
                await DeadLetters(database.pool).insert_absent([dead_letter() for _ in range(count)], NOW)
                await self.desk.park(SHED)

            async def unpark_and_park(self) -> None:
                await self.desk.unpark(SHED)
                await self.desk.park(SHED)

        return Table()


async def test_an_alert_is_out_until_it_is_delivered_or_dead_again(
    database: Database, producer: AIOKafkaProducer
) -> None:
    letters, store = InTables(database.pool, producer), PostgresDeliveries(database.pool)
    good, bad = alert(), alert()
    await database.pool.copy_records_to_table(
        "alerts", records=[alert_row(one, NOW) for one in (good, bad)], columns=ALERTS
    )
    first = {one.id: letter_of(one) for one in (good, bad)}
    await store.settle([died(one, first[one.id]) for one in (good, bad)], [])
    assert await letters.replays.replay(Reason.DELIVERY, 10) == 2
    assert counts(await last(letters, Reason.DELIVERY)) == (2, 0, 2)
    assert await letters.replays.posts() == Posts(failing=0, delivered=0)  # not tried again yet
    assert await letters.replays.unjudged() == 0  # the backlog has them

    tried = settlement(bad, state=AlertState.PENDING, attempts=2, good=0, status=503)
    await store.settle([settlement(good, attempts=2), tried], [])
    assert counts(await last(letters, Reason.DELIVERY)) == (2, 0, 1)
    assert await letters.replays.posts() == Posts(failing=1, delivered=1)
    await store.settle([died(bad, letter_of(bad), attempts=3, replay_of=first[bad.id].id)], [])
    assert counts(await last(letters, Reason.DELIVERY)) == (2, 1, 0)
    assert await letters.replays.posts() == Posts(failing=0, delivered=1)
    [recorded] = await Replays(database.pool).recent(10)
    assert (recorded.actor, recorded.sent, recorded.came_back) == (ACTOR, 2, 1)


async def test_the_next_letters_of_a_replay_are_found_without_reading_all_that_are_left(database: Database) -> None:
    """Where they were read and sorted for every chunk, a replay of 100,000 letters took half an hour."""
    letters = [dead_letter(offset=n, reason=Reason.SHED) for n in range(3_000)]
    await DeadLetters(database.pool).insert_absent(letters, NOW)
    await database.pool.execute("ANALYZE dead_letters")
    replays = Replays(database.pool)
    replay = await replays.begin(uuid.uuid4(), "cli:x", None, SHED)
    first = await replays.claim(replay, ReplayPolicy(), None, 100)
    assert first.after is not None
    values = (*filter_values(replay.chosen), *first.after, replay.created_at, 100)
    (plan,) = json.loads(await database.pool.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {CLAIM}", *values))
    scans = [node for node in _nodes(plan["Plan"]) if node.get("Relation Name") == "dead_letters"]
    assert [(node["Index Name"], node["Actual Rows"]) for node in scans] == [("dead_letters_open_order", 100)]


async def test_a_chunk_of_large_letters_is_short(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.adapters.replay_claims.CLAIM_BYTES", 10_000)
    letters = [dead_letter(offset=n, reason=Reason.SHED, value=b"x" * 4_000) for n in range(4)]
    letters.append(dead_letter(offset=4, reason=Reason.SHED, value=b"x" * 40_000))
    await DeadLetters(database.pool).insert_absent(letters, NOW)
    replays, after, counts_claimed = Replays(database.pool), None, []
    replay = await replays.begin(uuid.uuid4(), "cli:x", None, SHED)
    while (claim := await replays.claim(replay, ReplayPolicy(), after, 100)).after is not None:
        after = claim.after
        counts_claimed.append(len(claim.letters))
    assert counts_claimed == [2, 2, 1]


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from _nodes(part)


async def test_a_lock_whose_connection_ended_is_not_held_any_more(database: Database) -> None:
    key = lock_key("test")

    async def free_again() -> bool:
        async with lock(database.pool, key) as theirs:
            return theirs is not None

    async with lock(database.pool, key) as held:
        assert held is not None
        assert await held.holds()
        assert not await free_again()
        await database.pool.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        await until(free_again, "another can have it")
        assert not await held.holds()
