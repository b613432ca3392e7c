"""What commands say to people, where other tests ask them for JSON: the same facts, in words that can be acted on."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from schemas.dead_letters import DeadLetter, LetterState, Reason
from streams.adapters.dead_letters import DeadLetters
from streams.adapters.replay_claims import Replays
from streams.adapters.replays import EXAMPLES
from streams.core.rehearsal import LISTED
from streams.core.replay import LetterFilter
from tests.builders import dead_letter, event_json
from tests.integration.aged import TOPIC, age
from tests.integration.commands import environment, mutt_on_terminal
from tests.integration.conftest import Database
from tests.integration.pipeline import add_rule
from tests.integration.test_import_v25 import BAD, GOOD
from tests.integration.test_ledger import TOPIC as RAW
from tests.integration.test_ledger import balanced
from tests.programs import run_text

FAILED = """INSERT INTO auth_failures (minute, address, reason, failures, first_at, last_at)
            VALUES (date_trunc('minute', now()), '192.0.2.1', 'unknown', 3, now(), now())"""
NOW = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)


class Desk:
    """Runs `mutt` or `muttdev`, and reads what a person would."""

    def __init__(self, database: Database, servers: Any) -> None:
        self.database, self.servers = database, servers
        self.pool = database.pool
        self._environment = environment(database, servers)

    async def say(self, *arguments: str, status: int = 0, program: str = "mutt", **more: str) -> str:
        """Both streams, one after the other."""
        done = await asyncio.to_thread(run_text, program, *arguments, environment=self._environment | more)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    async def answer(self, typed: str, *arguments: str, status: int = 0) -> str:
        """The same with a terminal, on which this is typed."""
        done = await asyncio.to_thread(mutt_on_terminal, self.database, self.servers, *arguments, types=typed)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    async def add(self, *letters: DeadLetter) -> None:
        await DeadLetters(self.pool).insert_absent(letters, NOW)


@pytest.fixture
def desk(database: Database, broker: Any) -> Desk:
    return Desk(database, broker)


@pytest.fixture
def quiet(database: Database, stack: Any) -> Desk:
    """For commands that do not go to Kafka."""
    return Desk(database, stack)


def says(text: str, *pieces: str) -> None:
    """Each piece stands in it, one after the other."""
    at = 0
    for piece in pieces:
        found = text.find(piece, at)
        assert found >= 0, f"{piece!r} is not in its turn in:\n{text}"
        at = found + len(piece)


def of_host(count: int, first: int = 0, **more: Any) -> Sequence[DeadLetter]:
    values = {"hostname": "h1", "value": event_json(message="link down")} | more
    return [dead_letter(offset=first + number, **values) for number in range(count)]


async def test_a_replay_is_rehearsed_asked_for_and_told(desk: Desk) -> None:
    await add_rule(desk.pool, "link down")
    again = ("dlq", "replay", "--host", "h1")
    assert "no open letter fits" in await desk.say(*again, "--yes")
    sent, refused = LISTED + 2, EXAMPLES + 2
    await desk.add(*of_host(sent), *of_host(refused, 200, reason=Reason.TOMBSTONE))
    told = await desk.say(*again, "--dry-run")
    says(
        told,
        f"would send {sent} ",
        f"{sent}  alerted",
        "shed",
        "… and 2 more",
        f"refused {refused}: never",
        "tombstone",
    )
    asked = await desk.answer("n\n", *again, status=130)
    says(asked, f"Send {sent} dead letters again?", "nothing was sent")
    done = await desk.say(*again, "--yes")
    [replay] = await Replays(desk.pool).recent(1)
    says(done, f"sent {sent} dead letters again (replay {replay.id})", f"refused {refused}: never", "  … and 2 more")
    resumed = await desk.answer("n\n", "dlq", "replay", "--resume", str(replay.id), status=130)
    assert f"Resume replay {replay.id}?" in resumed


async def test_a_replay_that_stopped_is_rehearsed_with_what_it_holds_and_what_is_left(desk: Desk) -> None:
    await desk.add(*of_host(3))
    replays = Replays(desk.pool)
    chosen = LetterFilter(hosts=("h1",), states=(LetterState.OPEN,))
    begun = await replays.begin(uuid.uuid4(), "cli:ann", None, chosen)
    claimed = "UPDATE dead_letters SET state = 'replaying', replay_id = $1 WHERE \"offset\" = 0"
    await desk.pool.execute(claimed, begun.id)
    told = await desk.say("dlq", "replay", "--resume", str(begun.id), "--dry-run")
    says(told, "would send 3 dead letters", "3  unhandled")


async def test_letters_are_exported_and_purged(quiet: Desk, tmp_path: Path) -> None:
    await quiet.add(*of_host(2))
    file = tmp_path / "letters.jsonl.gz"
    assert f"wrote 2 dead letters to {file}" in await quiet.say("dlq", "export", "--host", "h1", "--output", str(file))
    asked = await quiet.answer("2\n", "dlq", "purge", "--host", "h1", "--archive", str(tmp_path / "purged.jsonl.gz"))
    for piece in ("2 dead letters will be purged. Type their number", "purged 2 dead letters; they are in "):
        assert piece in asked


async def test_what_is_not_there_or_not_meant_is_said(quiet: Desk, tmp_path: Path) -> None:
    await quiet.add(letter := dead_letter(hostname="h1"))
    nobody = str(uuid.uuid4())
    assert f"there is no dead letter {nobody}" in await quiet.say("dlq", "edit", nobody, "--set", "a=1", status=1)
    assert "--set, --unset or --value-file" in await quiet.say("dlq", "edit", str(letter.id), status=2)
    both = ("--set", "a=1", "--value-file", str(tmp_path / "value"))
    assert "takes neither --set nor --unset" in await quiet.say("dlq", "edit", str(letter.id), *both, status=2)
    wrong = await quiet.answer("2\n", "dlq", "purge", "--host", "h1", status=1)
    assert "there are 1 letters, not what you typed" in wrong
    assert "there is no legal hold 99 in force" in await quiet.say(
        "retention", "hold", "lift", "99", "--reason", "x", status=2
    )
    at = {"MUTT_ARCHIVE_DIR": str(tmp_path)}
    for command in (("verify", "a"), ("restore", "a")):
        assert "there is no archive a" in await quiet.say("retention", *command, status=2, **at)
    assert "there is no table restored_a" in await quiet.say("retention", "restore", "a", "--drop", status=2, **at)
    rules = tmp_path / "rules.yaml"
    rules.write_text("- {match_type: contains, match_string: x, prod_handling: Log_only, dev_handling: Log_only}\n")
    assert "nothing was imported" in await quiet.answer("n\n", "rules", "import", str(rules), status=130)
    assert "Import 1 rules?" in await quiet.answer("y\n", "rules", "import", str(rules))
    assert await quiet.pool.fetchval("SELECT count(*) FROM alert_rules") == 1


async def test_the_books_are_told(desk: Desk) -> None:
    assert await desk.say("ledger", "show") == "no partition was read yet\n"
    await balanced(desk.database, desk.servers)
    [shown] = json.loads(await desk.say("ledger", "show", "--json"))["partitions"]
    assert (shown["topic"], shown["next_offset"], shown["counts"]["alerted"]) == (RAW, 10, 1)
    await desk.pool.execute("UPDATE partition_progress SET halted_at = now(), halted_reason = 'damaged'")
    says(await desk.say("ledger", "verify"), "10 offsets", f"{RAW}:2 is halted at 10: damaged")
    reset = ("ledger", "reset", "--topic", RAW, "--to", "latest", "--partition")
    assert "nothing was changed" in await desk.answer("n\n", *reset, "2", status=130)
    assert "the brokers know no partition" in await desk.say(*reset, "99", "--yes", status=2)
    assert "was never read" in await desk.say(*reset, "3", "--yes", status=2)
    assert f"{RAW}:2 goes on at 12 as epoch 1; it was at 10" in await desk.answer("y\n", *reset, "2")
    await desk.pool.execute("DELETE FROM ledger")
    [fault, *_] = json.loads(await first_line(desk, "ledger", "verify", "--json"))["faults"]
    assert fault["topic"] == RAW


async def first_line(desk: Desk, *arguments: str) -> str:
    return (await desk.say(*arguments, status=1)).splitlines()[0]


async def test_keys_and_those_who_fail_are_told(quiet: Desk) -> None:
    assert await quiet.say("keys", "list") == "no live key\n"
    assert await quiet.say("keys", "list", "--all") == "no key\n"
    assert await quiet.say("keys", "failures") == "nobody failed\n"
    made = await quiet.say("keys", "create", "grafana", "--scope", "events:read", "--expires", "90d")
    says(made, "mutt_", "grafana", "shown")
    says(await quiet.say("keys", "list"), "grafana")
    await quiet.pool.execute(FAILED)
    says(await quiet.say("keys", "failures"), "192.0.2.1")


async def test_intake_holds_and_maintenance_are_told(quiet: Desk) -> None:
    assert await quiet.say("resume") == "intake was not paused\n"
    says(await quiet.say("pause", "--reason", "move", "--actor", "ann"), "intake is paused by ann since ")
    says(await quiet.say("pause"), "intake was paused already by ann")
    says(await quiet.say("resume", "--actor", "ben"), "intake goes on; resumed by ben")

    assert await quiet.say("retention", "hold", "list") == "no legal hold is in force\n"
    held = ("--reason", "case 4711", "--host", "h1", "--from", "2026-01-01T00:00:00Z", "--actor", "ann")
    says(await quiet.say("retention", "hold", "set", *held), "all tables, h1, 2026-01-01", "by ann: case 4711")
    says(await quiet.say("retention", "hold", "list"), "case 4711")
    assert "--table must be one of" in await quiet.say(
        "retention", "hold", "set", "--reason", "x", "--table", "y", status=2
    )

    assert await quiet.say("slo", "maintenance", "list") == "nothing was declared\n"
    await quiet.say("slo", "maintenance", "add", "all", "--for", "30", "--reason", "upgrade")
    assert len(json.loads(await quiet.say("slo", "maintenance", "list", "--json"))["windows"]) == 1


async def test_retention_tells_what_it_plans_did_and_where_it_stands(desk: Desk, tmp_path: Path) -> None:
    folder = tmp_path / "archives"
    folder.mkdir(mode=0o700)
    at = {"MUTT_ARCHIVE_DIR": str(folder)}
    assert "nothing to do" in await desk.say("retention", "plan", **at)
    assert "MUTT_ARCHIVE_DIR is not set" in await desk.say("retention", "verify", status=78)
    history = await age(desk.pool, -6, 0)
    [part, _] = history.parts
    says(await desk.say("retention", "run", **at), part)
    says(await desk.say("retention", "verify", **at), f"whole    {part} (25 rows)", "archives are whole")
    status = await desk.say("retention", "status", "--textfile", str(tmp_path / "mutt.prom"), **at)
    says(status, "last run ", "done, took ", "3 months ahead", "archived      audit: 25 rows")
    assert "mutt_retention" in (tmp_path / "mutt.prom").read_text()
    assert f"the rows of {part} are in restored_{part}" in await desk.say("retention", "restore", part, **at)
    assert f"restored_{part} is dropped" in await desk.say("retention", "restore", part, "--drop", **at)

    erase = ("erase", "--host", "h1", "--reason", "request 17")
    says(await desk.say(*erase, "--dry-run", **at), "audit", "to erase")
    erased = await desk.say(*erase, "--yes", **at)
    says(erased, "audit", f"still holds it, or may: {part}", "recorded as ")


async def test_what_came_from_2_5_is_told(quiet: Desk, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.sql", tmp_path / "bad.sql"
    good.write_text(GOOD)
    bad.write_text(BAD)
    told = await quiet.say("import-v25", str(good), "--dry-run")
    says(told, "alert_rules", "1 taken", "to add: 2 rules, 2 development hosts, 0 teams")
    says(await quiet.say("import-v25", str(good), "--yes"), "added: 2 rules")
    assert "match_string" in await quiet.say("import-v25", str(bad), "--yes", status=65)


async def test_schema_and_settings_are_told_as_json(quiet: Desk) -> None:
    assert json.loads(await quiet.say("migrate", "--json")) == {"applied": [], "ok": True}
    await quiet.pool.execute("DELETE FROM schema_migrations WHERE number = (SELECT max(number) FROM schema_migrations)")
    pending = json.loads(await quiet.say("migrate", "--check", "--json", status=1))
    assert (len(pending["pending"]), pending["ok"]) == (1, False)
    found = json.loads(await quiet.say("config", "get", "moog_rate_limit", "--json", program="muttdev"))
    assert found == {"moog_rate_limit": "50"}
    assert "nobody has changed it" in await quiet.say("config", "history", "moog_rate_limit", program="muttdev")
    listed = await quiet.say("config", "list", program="muttdev")
    says(listed, "MUTT_DATABASE_URL", "moog_rate_limit")
    differing = json.loads(await quiet.say("config", "diff", "--json", program="muttdev"))["keys"]
    assert "MUTT_DATABASE_URL" in {one["key"] for one in differing}
    assert "nothing to change" in await quiet.say("config", "unset", "moog_rate_limit")


async def test_an_event_whose_record_is_gone_is_told_from_its_row(desk: Desk) -> None:
    await age(desk.pool, 0)
    told = await desk.say("trace", f"{TOPIC}:0:0")
    says(told, f"event     {TOPIC}:0:0", "verdict ", "from the audit: ", "decided ")
