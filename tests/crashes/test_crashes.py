"""A match worker dies at every gap between two effects: restarted, the books balance (I1 to I4)."""

from __future__ import annotations

import pytest

from tests.crashes.batch import Kind, Position
from tests.crashes.points import MATCH, Point
from tests.crashes.transaction import crash_with_a_batch, prepare
from tests.integration.checker import anomalies
from tests.integration.conftest import System

OF_THE_TRANSACTION = [point for point in MATCH if 4 <= point.number <= 13]
PLACES = dict(zip(Kind, Position, strict=True))


@pytest.mark.parametrize("point", OF_THE_TRANSACTION, ids=lambda point: f"{point.number}_{point.name}")
async def test_I1_I2_I3_a_crash_within_the_transaction(system: System, point: Point) -> None:
    await prepare(system)
    for partition, (kind, position) in enumerate(PLACES.items()):
        await crash_with_a_batch(system, point, kind, position, partition)
    assert await anomalies(system.database.dsn, system.stack.kafka.bootstrap) == []
