"""Marks of what was published: written together, and kept while PostgreSQL does not take them."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence

import pytest

from schemas.alerts import Alert
from schemas.errors import StoreUnavailable
from schemas.rows import ALERTS
from streams.adapters.published_marks import PublishedMarks
from streams.core.alerting import alert_row
from tests.integration.conftest import Database
from tests.integration.forwarding import NOW, alerts_of
from tests.integration.pipeline import until


async def test_marks_of_many_batches_are_written_together(database: Database) -> None:
    one, two, other = await committed(database, 3)
    marks = PublishedMarks(database.pool)
    marks.add([one.id], [])
    marks.add([two.id], [])
    await marks.flush()
    assert await unmarked(database) == {other.id}
    assert await database.pool.fetchval("SELECT count(DISTINCT published_at) FROM alerts") == 1


async def test_marks_that_are_not_taken_are_kept_until_they_are(database: Database) -> None:
    (one,) = await committed(database, 1)
    marks = PublishedMarks(database.pool)
    await database.pool.execute("ALTER TABLE alerts RENAME TO away")
    marks.add([one.id], [])
    with pytest.raises(StoreUnavailable):
        await marks.flush()
    task = asyncio.create_task(marks.run())
    await database.pool.execute("ALTER TABLE away RENAME TO alerts")

    async def all_marked() -> bool:
        return not await unmarked(database)

    await until(all_marked, "the mark is written")
    task.cancel()


async def committed(database: Database, count: int) -> Sequence[Alert]:
    alerts = alerts_of(count, 1)
    rows = [alert_row(one, NOW) for one in alerts]
    await database.pool.copy_records_to_table("alerts", records=rows, columns=ALERTS)
    return alerts


async def unmarked(database: Database) -> set[uuid.UUID]:
    rows = await database.pool.fetch("SELECT id FROM alerts WHERE published_at IS NULL")
    return {uuid.UUID(int=row["id"].int) for row in rows}
