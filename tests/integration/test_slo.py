"""Service levels in PostgreSQL: sums however they are stored, maintenance, the API's own minutes, and `mutt slo`."""

from __future__ import annotations

import datetime as dt
import json
import random
from collections.abc import Iterator

import pytest

from api.indicators import IndicatorWriter
from schemas.errors import MaintenanceRefused, Outdated, StoreUnavailable
from schemas.slo import Component, objectives
from streams.adapters.indicators import PostgresIndicators
from streams.adapters.maintenance import PostgresMaintenance
from streams.adapters.slo import PostgresSlo
from streams.adapters.transactions import Transactions
from streams.core.authors import Author
from streams.core.indicator_book import IndicatorBook
from streams.core.slo import Indicator, windows_of
from streams.core.slo_reads import Draft
from streams.core.slo_windows import AHEAD, DAY, HOUR, MINUTE, down, window
from tests.integration.conftest import Database
from tests.programs import bare_environment, run_text

NOW = dt.datetime(2026, 3, 10, 12, 34, 56, tzinfo=dt.UTC)
ANN = Author("cli:ann", "upgrade")
COLUMNS = ("component", "topic", "partition", "minute", "good", "total")
Row = tuple[str, str, int, dt.datetime, int, int]


@pytest.fixture
def slo(database: Database) -> PostgresSlo:
    return PostgresSlo(Transactions(database.pool))


@pytest.fixture
def maintenance(database: Database) -> PostgresMaintenance:
    return PostgresMaintenance(Transactions(database.pool))


async def store(database: Database, *rows: Row) -> None:
    await database.pool.copy_records_to_table("sli", records=rows, columns=COLUMNS)


def minutes(draw: random.Random) -> Iterator[Row]:
    """Busy and quiet minutes of 31 days and a little ahead, of two components and two partitions."""
    for _ in range(2000):
        minute = down(NOW, MINUTE) - draw.randint(-10, 31 * 24 * 60) * MINUTE
        total = draw.randint(0, 50)
        component = draw.choice([Component.INGESTOR, Component.AUDIT])
        yield component.value, "t", draw.randint(0, 1), minute, draw.randint(0, total), total


async def test_sums_are_those_of_the_minutes_whatever_the_window(database: Database, slo: PostgresSlo) -> None:
    rows = list({row[:4]: row for row in minutes(random.Random(6))}.values())
    await store(database, *rows)
    await database.pool.execute("UPDATE sli SET good = good + 1, total = total + 2 WHERE partition = 1")
    lengths = (*windows_of(objectives()[Component.INGESTOR]), 37 * MINUTE, 26 * HOUR, 5 * DAY + MINUTE)
    found = await slo.levels({Component.INGESTOR: lengths, Component.AUDIT: (HOUR,)}, NOW)
    for component, sums in found.sums.items():
        for length, indicator in sums.items():
            inside = [
                row for row in rows
                if row[0] == component and window(NOW, length).first <= row[3] < window(NOW, length).after
            ]  # fmt: skip
            good = sum(row[4] + row[2] for row in inside)
            assert indicator == Indicator(good, sum(row[5] + 2 * row[2] for row in inside)), (component, length)


async def test_retention_takes_minutes_and_leaves_their_sums(database: Database, slo: PostgresSlo) -> None:
    await store(database, ("audit", "t", 0, down(NOW, MINUTE) - 3 * DAY, 9, 10))
    await database.pool.execute("DELETE FROM sli")
    found = await slo.levels({Component.AUDIT: (20 * DAY, DAY)}, NOW)
    assert found.sums[Component.AUDIT] == {20 * DAY: Indicator(9, 10), DAY: Indicator()}


async def test_minutes_ahead_count_when_clocks_merely_differ(database: Database, slo: PostgresSlo) -> None:
    now = down(NOW, MINUTE)
    await store(database, ("api", "t", 0, now + AHEAD, 1, 1), ("api", "t", 0, now + AHEAD + MINUTE, 0, 5))
    assert (await slo.levels({Component.API: (HOUR,)}, NOW)).sums[Component.API] == {HOUR: Indicator(1, 1)}


async def test_maintenance_is_left_out_of_the_sums_and_shown(
    database: Database, slo: PostgresSlo, maintenance: PostgresMaintenance
) -> None:
    now = down(NOW, MINUTE)
    await store(
        database,
        *(("audit", "t", 0, now - back * MINUTE, 0, 1) for back in range(100, 110)),
        *(("api", "t", 0, now - back * MINUTE, 0, 1) for back in range(100, 110)),
        ("audit", "t", 0, now - 3 * MINUTE, 7, 7),
    )
    start = now - 107.5 * MINUTE
    declared = await maintenance.declare(Draft(Component.AUDIT, start, start + 3 * MINUTE, "disk"), ANN)
    await maintenance.declare(Draft(None, now + HOUR, now + 2 * HOUR, "later"), ANN)
    found = await slo.levels({Component.AUDIT: (3 * HOUR,), Component.API: (3 * HOUR,)}, NOW)
    assert found.sums[Component.AUDIT] == {3 * HOUR: Indicator(7, 7 + 6)}  # minutes 108 to 105 are touched
    assert found.sums[Component.API] == {3 * HOUR: Indicator(0, 10)}
    assert found.maintenance == (declared,)


async def test_the_course_over_minutes_and_hours(database: Database, slo: PostgresSlo) -> None:
    hour = down(NOW, HOUR)
    await store(
        database, ("audit", "t", 0, hour + MINUTE, 1, 2), ("audit", "t", 1, hour + 4 * MINUTE, 3, 3),
        ("audit", "t", 0, hour + 5 * MINUTE, 5, 5),
    )  # fmt: skip
    fine = await slo.series(Component.AUDIT, hour, 5 * MINUTE)
    assert [(point.at, point.indicator) for point in fine] == [
        (hour, Indicator(4, 5)), (hour + 5 * MINUTE, Indicator(5, 5)),
    ]  # fmt: skip
    (coarse,) = await slo.series(Component.AUDIT, hour - DAY, 6 * HOUR)
    assert (coarse.at, coarse.indicator) == (down(NOW, 6 * HOUR), Indicator(9, 10))


async def test_windows_are_declared_ended_and_taken_back_and_all_of_it_is_audited(
    database: Database, maintenance: PostgresMaintenance
) -> None:
    runs = await maintenance.declare(Draft(None, NOW - HOUR, NOW + HOUR, "upgrade"), ANN)
    later = await maintenance.declare(Draft(Component.API, NOW + HOUR, NOW + 2 * HOUR, "move"), ANN)
    with pytest.raises(Outdated):
        await maintenance.end(runs.id, NOW, ANN, version=runs.version + 1)
    ended = await maintenance.end(runs.id, NOW, ANN, version=runs.version)
    assert ended is not None
    assert (ended.ends_at, ended.version, await maintenance.find(runs.id)) == (NOW, runs.version + 1, ended)
    with pytest.raises(MaintenanceRefused, match="is over since"):
        await maintenance.end(runs.id, NOW, ANN)
    assert await maintenance.end(later.id, NOW, ANN) == later
    assert await maintenance.find(later.id) is None
    assert await maintenance.end(later.id, NOW, ANN) is None
    with pytest.raises(MaintenanceRefused):
        await maintenance.declare(Draft(None, NOW, NOW, "  "), ANN)
    rows = await database.pool.fetch("SELECT * FROM config_audit WHERE table_name = 'maintenance_windows' ORDER BY id")
    assert [(row["operation"], row["object"], row["changed_by"]) for row in rows] == [
        ("CREATE", str(runs.id), "cli:ann"), ("CREATE", str(later.id), "cli:ann"),
        ("UPDATE", str(runs.id), "cli:ann"), ("DELETE", str(later.id), "cli:ann"),
    ]  # fmt: skip


async def test_the_api_writes_its_minutes_and_keeps_what_it_cannot_write(database: Database, slo: PostgresSlo) -> None:
    book = IndicatorBook()
    writer = IndicatorWriter(book, PostgresIndicators(Transactions(database.pool, acquire_s=0.1)))
    for good in (1, 1, 0):
        book.count(Component.API, NOW, good=good, total=1)
    async with database.pool.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE sli IN ACCESS EXCLUSIVE MODE")
        impatient = IndicatorWriter(book, PostgresIndicators(Transactions(database.pool, answer_s=0.1)))
        with pytest.raises(StoreUnavailable):
            await impatient.write()
    await writer.write()
    await writer.write()
    book.count(Component.API, NOW, good=1, total=1)
    await writer.write()
    assert (await slo.levels({Component.API: (HOUR,)}, NOW)).sums[Component.API] == {HOUR: Indicator(3, 4)}


async def test_the_command_declares_lists_ends_and_shows(database: Database) -> None:
    def mutt(*arguments: str) -> tuple[int, str]:
        done = run_text("mutt", "slo", *arguments, environment=bare_environment(**database.settings.to_env()))
        return done.returncode, done.stdout or done.stderr

    code, text = mutt("maintenance", "add", "forwarder", "--for", "30", "--reason", "up\x1bgrade", "--json")
    assert (code, json.loads(text)["component"]) == (0, "forwarder")
    number = str(json.loads(text)["id"])
    assert "up\\x1bgrade" in mutt("maintenance", "list")[1]
    assert mutt("maintenance", "end", number)[0] == 0
    assert mutt("maintenance", "end", number)[0] == 2
    assert mutt("maintenance", "end", "99")[0] == 1
    code, text = mutt("maintenance", "add", "web", "--for", "5", "--reason", "x")
    assert (code, "component must be all or one of ingestor" in text) == (2, True)
    assert mutt("maintenance", "add", "all", "--from", "2026-03-01T22:00", "--for", "5", "--reason", "x")[0] == 2
    await store(database, ("ingestor", "t", 0, down(dt.datetime.now(dt.UTC), MINUTE), 1, 2))
    code, text = mutt("show", "--json")
    found = {one["name"]: one for one in json.loads(text)["objectives"]}
    assert (found["ingest-availability"]["state"], found["alert-delivery"]["state"]) == ("critical", "no_data")
    assert "burns 100.0 times as fast as the budget allows over 1h" in mutt("show")[1]
