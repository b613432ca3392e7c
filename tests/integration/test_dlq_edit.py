"""Edits on the real database, by field and by editor, and an edited letter replayed through a running worker."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from typing import Any

import pytest
from msgspec.structs import replace

from schemas.dead_letters import DeadLetter, LetterState, Reason
from schemas.errors import Outdated
from streams.adapters.dead_letters import DeadLetters
from streams.adapters.letter_desk import LetterDesk
from tests.builders import dead_letter, event_json
from tests.integration.commands import mutt, mutt_on_terminal
from tests.integration.conftest import System
from tests.integration.pipeline import add_rule, until

pytestmark = pytest.mark.integration

NOW = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
BAD = event_json(message="link down", syslog_severity="3")


async def edit(database: Any, stack: Any, letter: DeadLetter, *arguments: str, status: int = 0) -> Any:
    done = await asyncio.to_thread(mutt, database, stack, "dlq", "edit", str(letter.id), *arguments, "--yes", "--json")
    assert done.returncode == status, done.stderr
    return json.loads(done.stdout) if status == 0 else done.stderr


async def test_a_field_is_set_and_the_original_stays(database: Any, stack: Any) -> None:
    rule = await add_rule(database.pool, "link down")
    letters, letter = DeadLetters(database.pool), dead_letter(reason=Reason.FIELD, value=BAD)
    await letters.insert_absent([letter], NOW)
    looked = await edit(database, stack, letter, "--set", "syslog_severity=3", "--dry-run")
    assert looked["edited"] is False
    done = await edit(database, stack, letter, "--set", "syslog_severity=3", "--note", "quotes")
    assert (done["edited"], done["verdict"]["rule_id"]) == (True, rule)
    stored = await letters.get(letter.id)
    assert stored is not None
    assert (stored.letter.value, stored.edits) == (BAD, 1)
    assert json.loads(stored.edited_value or b"")["syslog_severity"] == 3
    row = await database.pool.fetchrow("SELECT action, note, value, diff FROM letter_log")
    assert (row["action"], row["note"], row["value"]) == ("edited", "quotes", stored.edited_value)
    assert '+  "syslog_severity": 3' in row["diff"]
    with pytest.raises(Outdated):
        await LetterDesk(database.pool, actor="other").edit(replace(stored, edits=0), b"{}")
    shown = await asyncio.to_thread(mutt, database, stack, "dlq", "show", str(letter.id))
    assert "edited by cli:" in shown.stdout
    assert '+  "syslog_severity": 3' in shown.stdout


async def test_what_cannot_be_edited_is_refused(database: Any, stack: Any) -> None:
    alert, empty = dead_letter(reason=Reason.DELIVERY), dead_letter(reason=Reason.EMPTY)
    await DeadLetters(database.pool).insert_absent([alert, empty], NOW)
    assert "stands for an alert" in await edit(database, stack, alert, "--set", "a=1", status=2)
    assert "never sent again" in await edit(database, stack, empty, "--set", "a=1", status=2)


async def test_an_editor_changes_the_bytes_it_changes_and_no_other(database: Any, stack: Any) -> None:
    letters = DeadLetters(database.pool)
    letter = dead_letter(topic="mutt.ingest.raw", reason=Reason.LINE, value=b"<12>caf\xe9 \x1b[2J old")
    await letters.insert_absent([letter], NOW)
    command = ("dlq", "edit", str(letter.id))
    done = await asyncio.to_thread(
        mutt_on_terminal, database, stack, *command, types="y\n", EDITOR="sed -i s/old/new/", LC_ALL="C"
    )
    assert done.returncode == 0, done.stderr
    assert all(char.isprintable() or char == "\n" for char in done.stdout)
    stored = await letters.get(letter.id)
    assert stored is not None
    assert stored.edited_value == b"<12>caf\xe9 \x1b[2J new"
    for editor, status in (("false", 130), ("no-such-editor", 2)):
        done = await asyncio.to_thread(mutt_on_terminal, database, stack, *command, types="y\n", EDITOR=editor)
        assert done.returncode == status, done.stderr


async def test_an_edited_letter_is_replayed_judged_and_explained(system: System) -> None:
    pool = system.database.pool
    rule = await add_rule(pool, "link down")
    letter = dead_letter(reason=Reason.FIELD, value=BAD, partition=2)
    wrong = dead_letter(reason=Reason.JSON, value=b"{", partition=2, offset=8)
    letters = DeadLetters(pool)
    await letters.insert_absent([letter, wrong], NOW)
    await edit(system.database, system.stack, letter, "--set", "syslog_severity=3")
    await edit(system.database, system.stack, wrong, "--value-file", "/dev/null")
    system.start("match-1")
    replay = ("dlq", "replay", "--topic", "mutt.ingest.syslog", "--yes", "--json")
    done = await asyncio.to_thread(mutt, system.database, system.stack, *replay)
    assert json.loads(done.stdout)["sent"] == 2, done.stderr

    async def judged() -> object:
        return await pool.fetchval("SELECT count(*) = 2 FROM dead_letters WHERE state = 'replayed'")

    await until(judged, "both letters are judged")
    row = await pool.fetchrow("SELECT replay_of, rule_id, raw FROM audit")
    edited = await letters.get(letter.id)
    assert edited is not None
    assert tuple(row) == (letter.id, rule, edited.edited_value)
    again = await pool.fetchrow("SELECT reason, replays, replay_of, state FROM dead_letters WHERE state = 'open'")
    assert tuple(again) == (Reason.EMPTY.value, 1, wrong.id, LetterState.OPEN.value)
