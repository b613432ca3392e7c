"""Retention dies wherever it can, and runs again: nothing is lost, nothing is archived twice, the books balance."""

from __future__ import annotations

import asyncio
import dataclasses
import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

from streams.adapters.ledger import Ledger
from streams.core.books import faults
from tests.crashes.lives import die_at
from tests.crashes.points import POINTS, RETENTION
from tests.integration.aged import ALERTED, HOSTS, LOGGED, age, audit_row
from tests.integration.commands import environment
from tests.integration.conftest import System
from tests.programs import run_text

TABLES = {"audit": '"offset"', "alerts": "id", "dead_letters": "id", "config_audit": "id", "sli": "minute"}
RUN = ("retention", "run", "--wait", "60")
FINAL = "archive_discarded"
"""Is met where an archive is past its years."""


async def test_48_to_51_killed_at_each_step_it_goes_on(system: System, tmp_path: Path) -> None:
    """Each life goes on where the one before it died, so that one partition passes all points."""
    pool = system.database.pool
    await age(pool, -6, 0)
    all_rows = await rows(system, tmp_path)
    for point in RETENTION:
        if point.name != FINAL:
            await die_at(system, point, arguments=RUN, archive_dir=tmp_path)
            assert await rows(system, tmp_path) == all_rows, point.name
            assert await unbalanced(system) == [], point.name
    done = await run(system, tmp_path)
    assert done["problems"] == []
    assert await rows(system, tmp_path) == all_rows
    assert {row["state"] for row in await pool.fetch("SELECT state FROM retention_archives")} == {"removed"}
    outcomes = Counter(row["outcome"] for row in await pool.fetch("SELECT outcome FROM retention_runs"))
    assert outcomes == {"killed": len(RETENTION) - 1, "done": 1}
    assert await unbalanced(system) == []
    assert files(tmp_path) == [".gz"] * 5 + [".json"] * 5


async def test_51_an_archive_past_its_years_goes_whole(system: System, tmp_path: Path) -> None:
    await age(system.database.pool, -6)
    await run(system, tmp_path)
    await system.database.pool.execute("UPDATE retention_archives SET high = low + interval '1 s' - interval '9 years'")
    await system.database.pool.execute("UPDATE retention_archives SET low = high - interval '1 s'")
    await die_at(system, POINTS[FINAL], arguments=RUN, archive_dir=tmp_path)
    done = await run(system, tmp_path)
    assert ({action["do"] for action in done["actions"]}, done["problems"]) == ({"forget"}, [])
    assert files(tmp_path) == []


async def test_49_a_row_that_comes_after_the_archive_is_archived_too(system: System, tmp_path: Path) -> None:
    """A partition that is past its time got a row between two runs: it is not the one that was archived."""
    [part] = (await age(system.database.pool, -6)).parts
    await die_at(system, POINTS["archive_verified"], arguments=RUN, archive_dir=tmp_path)
    low = await system.database.pool.fetchval("SELECT low FROM retention_archives")
    await audit_row(system.database.pool, 0, low, HOSTS[0])
    assert "archived anew" in "".join((await run(system, tmp_path, status=1))["problems"])
    assert await system.database.pool.fetchval(f"SELECT count(*) FROM {part}") == LOGGED + ALERTED + 1
    done = await run(system, tmp_path)
    assert [action["do"] for action in done["actions"]] == ["discard", "archive", "detach", "drop"]
    assert done["actions"][1]["rows"] == LOGGED + ALERTED + 1


async def run(system: System, folder: Path, status: int = 0) -> Any:
    variables = environment(system.database, system.stack) | {"MUTT_ARCHIVE_DIR": str(folder)}
    done = await asyncio.to_thread(run_text, "mutt", *RUN, "--json", environment=variables)
    assert done.returncode == status, done.stderr
    return json.loads(done.stdout)


def files(folder: Path) -> list[str]:
    """How its files' names end."""
    return sorted(file.suffix for file in folder.iterdir())


async def rows(system: System, folder: Path) -> Counter[tuple[str, str]]:
    """Every row there is, by its key: in its table, or else in an archive whose rows have left it."""
    found: Counter[tuple[str, str]] = Counter()
    pool = system.database.pool
    for table, key in TABLES.items():
        found.update(
            (table, row["key"]) for row in await pool.fetch(f"SELECT to_json({key}) #>> '{{}}' AS key FROM {table}")
        )
    for archive in await pool.fetch("SELECT name, kind FROM retention_archives WHERE state IN ('detached', 'removed')"):
        key = TABLES[archive["kind"]].strip('"')
        for line in gzip.decompress((folder / f"{archive['name']}.ndjson.gz").read_bytes()).splitlines():
            found[archive["kind"], str(json.loads(line)[key])] += 1
    return found


async def unbalanced(system: System) -> list[str]:
    """What does not add up in the books, whatever Kafka holds."""
    ranges, standings, orphans = await Ledger(system.database.pool).read()
    at_end = [dataclasses.replace(standing, log_end=standing.next_offset) for standing in standings]
    return [str(fault) for fault in (*orphans, *faults(ranges, at_end))]
