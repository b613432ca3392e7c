"""What the seam costs: as many calls for a batch of thousands of events as for one of a few, on the real servers."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from schemas.config import DynamicConfig
from streams import crash
from streams.adapters.batches import PostgresBatchStore, refused_offset
from streams.adapters.publisher import KafkaOutbox, create_producer
from streams.agents.match_lane import Matching, MatchLane
from streams.core.batches import PlainRecord, PolledBatch
from streams.core.matching import Knowledge
from streams.intake import Intake
from streams.pauses import Pauses
from tests.builders import event_json, rule, rule_set
from tests.fakes_match import FakeBacklog, FakeLog, FixedClock
from tests.integration.conftest import System

TOPIC = "mutt.ingest.syslog"
FEW, MANY = 9, 3000


@asynccontextmanager
async def lane(system: System) -> AsyncIterator[MatchLane]:
    """A lane as in a worker, in this process: real tables, real topics."""
    config = DynamicConfig(audit_unhandled_events=True, alerter_queue_shed_threshold=10**6)
    knowledge, pauses, clock = Knowledge.of(rule_set(rule(), config=config)), Pauses(), FixedClock()
    intake = Intake(reader=FakeBacklog(), pauses=pauses, config=lambda: config, clock=clock, fleet_partitions=1)
    intake.assign([(TOPIC, 0)])
    intake.apply()
    producer = create_producer(system.settings.kafka_bootstrap)
    await producer.start()
    pool = system.database.pool
    matching = Matching(
        store=PostgresBatchStore(pool), outbox=KafkaOutbox(pool, producer),
        log_position=FakeLog(end=10**6), knowledge=lambda: knowledge, pauses=pauses, intake=intake, clock=clock,
        refused_offset=refused_offset,
        transactions=1,
    )  # fmt: skip
    opened = matching.lane(TOPIC, 0)
    await opened.open()
    try:
        yield opened
    finally:
        await producer.stop()


def polled(first: int, count: int) -> PolledBatch:
    """Alerts, unmatched events and broken ones in turn."""
    values = (event_json(message="link down"), event_json(message="nothing knows this"), b"{")
    records = [PlainRecord(first + n, 1_772_366_400_000, b"h1", values[n % len(values)]) for n in range(count)]
    return PolledBatch(TOPIC, 0, first, first + count, records, False, lambda: None)


async def test_a_batch_passes_the_seam_as_often_however_large_it_is(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with lane(system) as opened:
        passed: list[Counter[str]] = []
        for first, count in ((0, FEW), (FEW, MANY)):
            called: Counter[str] = Counter()
            monkeypatch.setattr(crash, "here", lambda name, called=called: called.update([name]))
            assert await opened.handle([polled(first, count)])
            passed.append(called)
    few, many = passed
    assert await system.database.pool.fetchval("SELECT next_offset FROM partition_progress") == FEW + MANY
    assert few == many
    assert set(many.values()) == {1}
    assert len(many) < 20
