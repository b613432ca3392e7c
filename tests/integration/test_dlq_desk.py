"""Dead letters by hand on real servers: exported, parked, unparked, edited, purged, each with its record."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import gzip
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from schemas.dead_letters import DeadLetter, LetterState, Reason
from streams.adapters.dead_letters import DeadLetters
from streams.core.replay import StoredLetter
from tests.builders import dead_letter
from tests.integration.commands import mutt

pytestmark = pytest.mark.integration

NOW = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)


class Desk:
    """`mutt dlq` on a fresh database; nothing here needs Kafka."""

    def __init__(self, database: Any, stack: Any) -> None:
        self._database = database
        self._stack = stack
        self.letters = DeadLetters(database.pool)

    async def run(self, *arguments: str, status: int = 0) -> Any:
        """Runs the command; its JSON where it has some, else its output."""
        done = await asyncio.to_thread(mutt, self._database, self._stack, "dlq", *arguments)
        assert done.returncode == status, done.stderr
        try:
            return json.loads(done.stdout)
        except ValueError:
            return done.stdout or done.stderr

    async def add(self, *letters: DeadLetter) -> None:
        await self.letters.insert_absent(letters, NOW)

    async def get(self, letter: DeadLetter) -> StoredLetter:
        stored = await self.letters.get(letter.id)
        assert stored is not None
        return stored

    async def actions(self, letter: DeadLetter) -> list[tuple[str, str]]:
        query = "SELECT action, note FROM letter_log WHERE letter_id = $1 ORDER BY id"
        return [tuple(row) for row in await self._database.pool.fetch(query, letter.id)]


@pytest.fixture
def desk(database: Any, stack: Any) -> Desk:
    return Desk(database, stack)


async def test_an_export_has_every_byte(desk: Desk, tmp_path: Path) -> None:
    letter = dead_letter(key=None, value=b"\x00\xff\x1b", headers=((b"a", None), (b"\xff", b"\x00")))
    await desk.add(letter, dead_letter(reason=Reason.JSON))
    line = await desk.run("export", "--reason", "shed")
    assert (line["id"], line["key"]) == (str(letter.id), None)
    assert base64.b64decode(line["value"]) == letter.value
    headers = [[part and base64.b64decode(part) for part in header] for header in line["headers"]]
    assert headers == [list(header) for header in letter.headers]

    file = tmp_path / "letters.jsonl.gz"
    told = await desk.run("export", "--output", str(file), "--json")
    assert told == {"letters": 2, "file": str(file), "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    assert len(gzip.decompress(file.read_bytes()).splitlines()) == 2
    assert file.stat().st_mode & 0o077 == 0
    assert "not overwritten" in await desk.run("export", "--output", str(file), status=2)
    assert os.listdir(tmp_path) == [file.name]


async def test_letters_are_parked_and_come_back_only_by_hand(desk: Desk) -> None:
    letter, other = dead_letter(hostname="h1", replays=3), dead_letter(hostname="h2")
    await desk.add(letter, other)
    assert await desk.run("park", "--host", "h1", "--note", "known bad", "--yes", "--json") == {"parked": 1}
    stored = await desk.get(letter)
    assert (stored.state, stored.parked_at is not None) == (LetterState.PARKED, True)
    assert (await desk.get(other)).state is LetterState.OPEN
    assert await desk.run("park", "--host", "h1", "--yes", "--json") == {"parked": 0}
    assert await desk.run("unpark", "--host", "h1", "--yes", "--json") == {"unparked": 1}
    stored = await desk.get(letter)
    assert (stored.state, stored.letter.replays, stored.parked_at) == (LetterState.OPEN, 0, None)
    assert await desk.actions(letter) == [("parked", "known bad"), ("unparked", None)]


@pytest.mark.parametrize("command", ["park", "unpark", "purge"])
async def test_no_command_takes_everything_or_acts_unasked(desk: Desk, command: str) -> None:
    letter = dead_letter()
    await desk.add(letter)
    assert "needs a filter" in await desk.run(command, "--state", "open", status=2)
    assert "without a terminal" in await desk.run(command, "--topic", letter.topic, status=2)
    assert (await desk.get(letter)).state is LetterState.OPEN


async def test_a_purge_archives_first_and_needs_the_right_number(desk: Desk, database: Any, tmp_path: Path) -> None:
    secret = dead_letter(value=b"password", key=b"k", headers=((b"a", b"b"),), hostname="h1", detail="at password")
    large = dead_letter(reason=Reason.TOO_LARGE, hostname="h1", detail="offsets 4 to 9 are one batch that unpacks")
    held = dead_letter(hostname="h1")
    await desk.add(secret, large, held, dead_letter(hostname="h2"))
    await database.pool.execute("UPDATE dead_letters SET state = 'replaying' WHERE id = $1", held.id)
    assert await desk.run("purge", "--host", "h1", "--dry-run", "--json") == {"purged": 0, "letters": 2}
    file = tmp_path / "gone.jsonl"
    await desk.run("purge", "--host", "h1", "--count", "3", "--archive", str(file), status=1)
    assert not file.exists()

    done = await desk.run("purge", "--host", "h1", "--count", "2", "--archive", str(file), "--note", "asked", "--json")
    assert done == {"purged": 2, "archive": str(file), "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    kept = {line["id"]: line for line in map(json.loads, file.read_text().splitlines())}
    assert base64.b64decode(kept[str(secret.id)]["value"]) == b"password"
    stored = await desk.get(secret)
    assert stored.state is LetterState.PURGED
    assert (stored.letter.key, stored.letter.value, stored.letter.headers) == (None, None, ())
    assert (stored.letter.hostname, stored.letter.detail) == (None, "")
    assert (stored.letter.topic, stored.letter.offset) == (secret.topic, secret.offset)
    assert (await desk.get(large)).letter.detail == large.detail
    assert (await desk.get(held)).letter.value == held.value
    row = await database.pool.fetchrow("SELECT letters, note, archive FROM purges")
    assert tuple(row) == (2, "asked", str(file))
    assert len((await desk.run("list", "--json"))["letters"]) == 2
    assert len((await desk.run("list", "--state", "purged", "--json"))["letters"]) == 2
    assert await desk.letters.insert_absent([secret], NOW) == 0


async def test_purging_what_cannot_be_purged_is_refused(desk: Desk) -> None:
    letter = dead_letter()
    await desk.add(letter)
    await desk.run("purge", "--id", str(letter.id), "--state", "replaying", "--count", "1", status=2)
    assert (await desk.get(letter)).letter.value == letter.value
