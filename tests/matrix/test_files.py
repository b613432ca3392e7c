"""Files that `mutt` writes: killed, or out of room, they are not there; a purge without its archive takes nothing."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.devstack.stack import Stack
from streams.adapters.dead_letters import DeadLetters
from tests.builders import dead_letter
from tests.chaos.disk import SmallDisk, small_disk
from tests.integration.aged import ALERTED, LOGGED, age
from tests.integration.commands import environment, mutt, start_mutt
from tests.integration.conftest import Database
from tests.integration.pipeline import until
from tests.integration.test_dlq_desk import NOW
from tests.matrix.needs import needs_root
from tests.programs import run_text

LETTERS = 400
FULL = 74


@pytest.fixture
def disk() -> Iterator[SmallDisk]:
    with small_disk(1) as disk:
        yield disk


@pytest.fixture
async def letters(database: Database) -> None:
    """Of one host; too many for a small disk."""
    await DeadLetters(database.pool).insert_absent(
        [dead_letter(hostname="h1", offset=number, value=b"x" * 20_000) for number in range(LETTERS)], NOW
    )


@needs_root
@pytest.mark.usefixtures("letters")
@pytest.mark.proves("files.full")
async def test_an_export_without_room_says_so_and_leaves_no_file(
    database: Database, stack: Stack, disk: SmallDisk
) -> None:
    file = disk.path / "letters.jsonl"
    done = await asyncio.to_thread(mutt, database, stack, "dlq", "export", "--output", str(file))
    assert done.returncode == FULL, done.stderr
    assert list(disk.path.iterdir()) == []


@needs_root
@pytest.mark.usefixtures("letters")
@pytest.mark.proves("files.cut")
async def test_a_purge_whose_archive_is_cut_short_deletes_nothing(
    database: Database, stack: Stack, disk: SmallDisk
) -> None:
    file = disk.path / "gone.jsonl"
    asked = ("purge", "--host", "h1", "--count", str(LETTERS), "--archive", str(file))
    done = await asyncio.to_thread(mutt, database, stack, "dlq", *asked)
    assert done.returncode == FULL, done.stderr
    assert list(disk.path.iterdir()) == []
    kept = "SELECT count(*) FROM dead_letters WHERE state = 'open' AND length(value) = 20000"
    assert await database.pool.fetchval(kept) == LETTERS
    assert await database.pool.fetchval("SELECT count(*) FROM purges") == 0


@pytest.mark.usefixtures("letters")
@pytest.mark.proves("files.kill")
async def test_an_export_that_is_killed_leaves_no_file_of_its_name(
    database: Database, stack: Stack, tmp_path: Path
) -> None:
    file = tmp_path / "letters.jsonl.gz"
    command = start_mutt(database, stack, "dlq", "export", "--output", str(file))

    async def writes() -> bool:
        return written(tmp_path) > 0

    await until(writes, "the export is under way")
    command.send_signal(signal.SIGKILL)
    assert command.end().returncode == -signal.SIGKILL
    assert not file.exists()
    done = await asyncio.to_thread(mutt, database, stack, "dlq", "export", "--output", str(file))
    assert done.returncode == 0, done.stderr
    assert file.exists()


def written(folder: Path) -> int:
    """Bytes of all files there."""
    return sum(file.stat().st_size for file in folder.iterdir())


@needs_root
@pytest.mark.proves("files.full")
async def test_retention_without_room_deletes_nothing_and_goes_on_when_there_is(
    database: Database, stack: Stack, disk: SmallDisk
) -> None:
    parts = (await age(database.pool, -6)).parts
    variables = environment(database, stack) | {"MUTT_ARCHIVE_DIR": str(disk.path)}
    disk.path.chmod(0o700)
    disk.fill()
    full = await asyncio.to_thread(run_text, "mutt", "retention", "run", environment=variables)
    assert full.returncode == FULL, full.stderr
    assert await database.pool.fetchval(f"SELECT count(*) FROM {parts[0]}") == LOGGED + ALERTED
    disk.empty()
    done = await asyncio.to_thread(run_text, "mutt", "retention", "run", environment=variables)
    assert done.returncode == 0, done.stderr
    assert await database.pool.fetchval("SELECT count(*) FROM audit") == 0
