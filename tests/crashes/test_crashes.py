"""A match worker dies at every gap between two effects: restarted, the books balance (I1 to I4)."""

from __future__ import annotations

from itertools import product

import pytest

from tests.chaos.checker import anomalies
from tests.crashes.batch import Kind, Position
from tests.crashes.points import AGAIN, MATCH, TOLD, Point
from tests.crashes.transaction import PARTITIONS, crash_in_a_row, crash_with_a_batch, prepare
from tests.integration.conftest import System

TRANSACTION = [point for point in MATCH if 4 <= point.number <= 13]
EVERYWHERE = [point for point in MATCH if point.number <= 20]
IN_TURN = dict(zip(Kind, Position, strict=True))
"""Where each kind is looked at when there is little time."""


def named(value: object) -> str:
    return f"{value.number}_{value.name}" if isinstance(value, Point) else str(getattr(value, "name", value)).lower()


def kinds_of(point: Point) -> list[Kind]:
    return [kind for kind in Kind if kind is not Kind.REJECTED or not point.whole]


async def assert_books_balance(system: System) -> None:
    assert await anomalies(system.database.dsn, system.stack.kafka.bootstrap) == []


@pytest.mark.parametrize("point", TRANSACTION, ids=named)
async def test_I1_I2_I3_a_crash_within_the_transaction(system: System, point: Point) -> None:
    await prepare(system)
    await crash_in_a_row(system, point, [(kind, IN_TURN[kind]) for kind in kinds_of(point)])
    await assert_books_balance(system)


@pytest.mark.campaign
@pytest.mark.parametrize("point", EVERYWHERE, ids=named)
@pytest.mark.timeout(600)
async def test_I1_I2_I3_a_crash_anywhere_with_any_record_anywhere(system: System, point: Point) -> None:
    await prepare(system)
    hands = list(product(kinds_of(point), Position))
    if point.then in (AGAIN, TOLD) and point.name != "polled":
        await crash_in_a_row(system, point, hands)
    else:
        for run, (kind, position) in enumerate(hands):  # on one partition: at the start a lane reads its last record
            await crash_with_a_batch(system, point, kind, position, run * PARTITIONS)
    await assert_books_balance(system)
