"""A match worker dies while it finds its place: the next one begins anew, and sends what was left over."""

from __future__ import annotations

import pytest

from tests.chaos.checker import anomalies
from tests.crashes.batch import Kind, Position, batch
from tests.crashes.lives import die_at
from tests.crashes.points import POINTS
from tests.crashes.transaction import PARTITIONS, Place, crash_with_a_batch, prepare, sent
from tests.integration.conftest import System

pytestmark = pytest.mark.campaign


async def test_21_22_23_a_crash_at_the_start(system: System) -> None:
    await prepare(system)
    await crash_with_a_batch(system, POINTS["located"], Kind.MATCHED, Position.FIRST, 0)
    await crash_with_a_batch(system, POINTS["hash_compared"], Kind.UNMATCHED, Position.MIDDLE, PARTITIONS)
    left_over = await Place.of(system, batch(Kind.REJECTED, Position.LAST, 1), 1)
    before = await sent(system)
    await die_at(system, POINTS["committed"])
    await die_at(system, POINTS["some_left_over_sent"])
    await left_over.assert_as_told(POINTS["some_left_over_sent"])
    await left_over.assert_sent(POINTS["some_left_over_sent"], before)
    await left_over.finish()
    assert await anomalies(system.database.dsn, system.stack.kafka.bootstrap) == []
