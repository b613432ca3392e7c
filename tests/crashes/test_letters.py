"""The dead-letters worker and the desk's commands die: no letter is lost, none is there twice, none changes by half."""

from __future__ import annotations

import asyncio
import datetime as dt
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from schemas.dead_letters import DeadLetter, LetterState, Reason
from streams.adapters.dead_letters import DeadLetters
from streams.core.replay import StoredLetter
from tests.builders import dead_letter, event_json
from tests.crashes.lives import die_at
from tests.crashes.points import POINTS
from tests.integration.commands import mutt
from tests.integration.conftest import System
from tests.integration.pipeline import until
from tests.integration.topics import produce_one, read_all

pytestmark = pytest.mark.campaign

NOW = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
BAD = event_json(message="link down", syslog_severity="3")


async def stored(system: System, letter: DeadLetter) -> StoredLetter:
    found = await DeadLetters(system.database.pool).get(letter.id)
    assert found is not None
    return found


async def actions(system: System) -> list[str]:
    return [row["action"] for row in await system.database.pool.fetch("SELECT action FROM letter_log ORDER BY id")]


async def command(system: System, *arguments: str) -> Any:
    done = await asyncio.to_thread(mutt, system.database, system.stack, "dlq", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", ["letters_read", "letters_indexed"])
async def test_31_32_a_letter_of_another_tool_is_there_once(system: System, name: str) -> None:
    records = {b"value %d" % number for number in range(3)}
    for value in sorted(records):
        headers = [("__connect.errors.topic", b"orders")]
        produce_one(system.stack.kafka.bootstrap, "mutt.dlq", value, partition=2, headers=headers)
    await die_at(system, POINTS[name])
    held = await values(system)
    assert (held == sorted(records)) if name == "letters_indexed" else (held == [])
    worker = system.start("dead-letters-1")
    produce_one(system.stack.kafka.bootstrap, "mutt.dlq", b"one more", partition=2)

    async def indexed() -> bool:
        return await values(system) == sorted({*records, b"one more"})

    await until(indexed, "every letter is in the table, once")
    assert await asyncio.to_thread(worker.stop) == 0, worker.tail()


async def values(system: System) -> list[bytes]:
    return [row["value"] for row in await system.database.pool.fetch("SELECT value FROM dead_letters ORDER BY value")]


@pytest.mark.parametrize("name", ["letter_edited", "edit_committed"])
async def test_33_34_an_edit_is_there_whole_or_not_at_all(system: System, name: str) -> None:
    letter = dead_letter(reason=Reason.FIELD, value=BAD)
    await DeadLetters(system.database.pool).insert_absent([letter], NOW)
    edit = ("dlq", "edit", str(letter.id), "--set", "syslog_severity=3", "--yes")
    await die_at(system, POINTS[name], arguments=edit)
    now = await stored(system, letter)
    there = name == "edit_committed"
    assert (now.letter.value, now.edits, now.edited_value is not None) == (BAD, int(there), there)
    diffs = await system.database.pool.fetch("SELECT diff FROM letter_log")
    assert ['+  "syslog_severity": 3' in row["diff"] for row in diffs] == [True] * there
    await command(system, *edit[1:])
    again = await stored(system, letter)
    assert json.loads(again.edited_value or b"")["syslog_severity"] == 3
    assert again.letter.value == BAD


@pytest.mark.parametrize("name", ["parking", "parked_sent"])
async def test_35_what_is_parked_reaches_its_topic_at_the_next_start(system: System, name: str) -> None:
    letter = dead_letter(headers=((b"x", b"1"), (b"x", None)), value=b"\x00\xff")
    await DeadLetters(system.database.pool).insert_absent([letter], NOW)
    assert await command(system, "park", "--id", str(letter.id), "--yes") == {"parked": 1}
    await die_at(system, POINTS[name])
    before = await parked(system)
    assert len(before) == (name == "parked_sent")
    assert await system.database.pool.fetchval("SELECT parked_published_at FROM dead_letters") is None
    worker = system.start("dead-letters-1")

    async def published() -> object:
        return await system.database.pool.fetchval("SELECT parked_published_at FROM dead_letters")

    await until(published, "the parked letter is on its topic")
    assert await asyncio.to_thread(worker.stop) == 0, worker.tail()
    after = await parked(system)
    assert len(after) == len(before) + 1
    for record in after:
        own = [pair for pair in record.headers() if not pair[0].startswith("mutt.dlq.")]
        assert (record.value(), own) == (b"\x00\xff", [("x", b"1"), ("x", None)])
        assert dict(record.headers())["mutt.dlq.id"].decode() == str(letter.id)


async def parked(system: System) -> list[Any]:
    return await asyncio.to_thread(read_all, system.stack.kafka.bootstrap, "mutt.dlq.parked")


async def test_36_a_purge_that_was_only_archived_is_repeated(system: System, tmp_path: Path) -> None:
    letter = dead_letter(hostname="h1")
    await DeadLetters(system.database.pool).insert_absent([letter], NOW)
    first, second = tmp_path / "first.jsonl.gz", tmp_path / "second.jsonl.gz"
    purge = ("dlq", "purge", "--host", "h1", "--count", "1", "--archive")
    await die_at(system, POINTS["purge_archived"], arguments=(*purge, str(first)))
    assert (await stored(system, letter)).letter == letter
    assert (await actions(system), await purges(system)) == ([], 0)
    done = await command(system, *purge[1:], str(second))
    assert (done["purged"], done["archive"]) == (1, str(second))
    assert len(gzip.decompress(second.read_bytes()).splitlines()) == 1
    assert (await stored(system, letter)).state is LetterState.PURGED
    assert (await actions(system), await purges(system)) == (["purged"], 1)


async def purges(system: System) -> int:
    return int(await system.database.pool.fetchval("SELECT count(*) FROM purges"))
