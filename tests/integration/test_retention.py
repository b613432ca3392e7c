"""`mutt retention` on real servers: archives, deletes, can be repeated, and the books balance with what is archived."""

from __future__ import annotations

import asyncio
import datetime as dt
import gzip
import hashlib
import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource

from streams.adapters.locks import lock, lock_key
from streams.adapters.retention_store import briefly
from streams.adapters.searches import PostgresSearches
from streams.adapters.transactions import Transactions
from streams.core.paging import Place
from streams.core.searches import AuditSearch, Stretch
from tests.architecture.documents import RETENTION, commands
from tests.integration.aged import ALERTED, LOGGED, OFFSETS, REJECTED, TOPIC, Aged, age, audit_row
from tests.integration.commands import environment, produce
from tests.integration.conftest import Database, System
from tests.integration.pipeline import until
from tests.programs import run_text

HELD_OPEN = 1
"""Letters of a month that nobody closed: they stay."""


PARTS = "SELECT relname AS name FROM pg_class WHERE relname ~ '^audit_[0-9]{4}_[0-9]{2}$' ORDER BY relname"


class Desk:
    """Runs `mutt` with a folder for archives."""

    def __init__(self, database: Database, broker: Any, folder: Path) -> None:
        self.folder = folder
        self._environment = environment(database, broker) | {"MUTT_ARCHIVE_DIR": str(folder)}

    async def run(self, *arguments: str, status: int = 0, **more: str) -> Any:
        """What it says with --json; of a failed one without any, its standard error."""
        done = await asyncio.to_thread(run_text, "mutt", *arguments, "--json", environment=self._environment | more)
        assert done.returncode == status, done.stdout + done.stderr
        return json.loads(done.stdout) if done.stdout else done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "archives here"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def desk(database: Database, postgres: Any, folder: Path) -> Desk:
    return Desk(database, postgres, folder)


async def everything(pool: asyncpg.Pool) -> dict[str, int]:
    tables = ("audit", "alerts", "dead_letters", "config_audit", "sli")
    return {table: await pool.fetchval(f"SELECT count(*) FROM {table}") for table in tables}


async def test_what_is_past_its_time_is_archived_and_gone_and_the_books_balance(system: System, folder: Path) -> None:
    pool = system.database.pool
    desk = Desk(system.database, system.stack, folder)
    history = await age(pool, -6, -5, 0)
    produce(system.stack, TOPIC, 0, *[b"{}"] * history.offsets)
    whole = await pool.fetch(f'SELECT * FROM {history.parts[0]} ORDER BY "offset"')
    balanced = await desk.run("ledger", "verify")
    planned = await desk.run("retention", "plan")
    rehearsed = await desk.run("retention", "run", "--dry-run")
    assert planned == rehearsed
    assert await everything(pool) == {
        "audit": 3 * (LOGGED + ALERTED), "alerts": 3 * ALERTED, "dead_letters": 3 * REJECTED, "config_audit": 4,
        "sli": 2,
    }  # fmt: skip

    textfile = folder.parent / "retention.prom"
    done = await desk.run("retention", "run", "--textfile", str(textfile))
    assert done["actions"] == planned["actions"]
    assert [(each["do"], each["what"], each["rows"]) for each in done["actions"]] == [
        *((do, part, LOGGED + ALERTED if do == "archive" else None)
          for part in history.parts[:2] for do in ("archive", "detach", "drop")),
        ("delete", "alerts", 2 * ALERTED), ("delete", "dead_letters", 2 * (REJECTED - HELD_OPEN)),
        ("delete", "config_audit", 2), ("delete", "sli", 1),
    ]  # fmt: skip
    assert await everything(pool) == {
        "audit": LOGGED + ALERTED, "alerts": ALERTED, "dead_letters": REJECTED + 2 * HELD_OPEN, "config_audit": 2,
        "sli": 1,
    }  # fmt: skip
    books = await desk.run("ledger", "verify")
    archived = 2 * (LOGGED + ALERTED + ALERTED + REJECTED - HELD_OPEN)
    assert books["totals"] == balanced["totals"] | {"archived": archived}

    assert (await desk.run("retention", "run"))["actions"] == []
    verdicts = await desk.run("retention", "verify")
    assert (verdicts["ok"], len(verdicts["archives"]), verdicts["not_ours"]) == (True, 6, [])
    stands = await desk.run("retention", "status", status=0)
    assert (stands["last_outcome"], stands["months_ahead"], stands["expired_parts"]) == ("done", 3, 0)
    assert 'mutt_retention_archived_rows{table="audit"} 50.0' in textfile.read_text()
    (free,) = re.findall(r"^mutt_retention_archive_free_bytes (\S+)$", textfile.read_text(), re.MULTILINE)
    assert 0 < float(free) <= shutil.disk_usage(folder).total
    the_manifest_says_what_is_there(folder, history)

    table = (await desk.run("retention", "restore", history.parts[0]))["table"]
    assert await pool.fetch(f'SELECT * FROM {table} ORDER BY "offset"') == whole
    await the_api_finds_what_was_restored(pool, whole)
    assert "is there already" in await desk.run("retention", "restore", history.parts[0], status=2)
    assert (await desk.run("retention", "restore", history.parts[0], "--drop"))["dropped"]
    letters = next(each["name"] for each in verdicts["archives"] if each["name"].startswith("dead_letters"))
    table = (await desk.run("retention", "restore", letters))["table"]
    row = await pool.fetchrow(f"SELECT key, value, header_names, header_values FROM {table} LIMIT 1")
    assert tuple(row) == (b"\xff", None, [b"name", b"\x00"], [None, b"\x01"])


async def the_api_finds_what_was_restored(pool: Any, whole: Sequence[Any]) -> None:
    """In pages, by each filter, with what is still in the audit and only where it is asked for."""
    live = {row["offset"] for row in await pool.fetch('SELECT "offset" FROM audit')}
    back = {row["offset"] for row in whole}
    host = whole[0]["hostname"]
    of_host = {row["offset"] for row in await pool.fetch('SELECT "offset" FROM audit WHERE hostname = $1', host)}
    of_host |= {row["offset"] for row in whole if row["hostname"] == host}
    assert await searched(pool) == live
    assert await searched(pool, restored=True) == live | back
    assert await searched(pool, restored=True, hostname=host) == of_host
    assert await searched(pool, restored=True, hostname=host, text=whole[0]["message"]) >= {whole[0]["offset"]}


async def searched(pool: Any, **filters: Any) -> set[int]:
    """Offsets of all pages; none is twice on them."""
    searches = PostgresSearches(Transactions(pool))
    found: list[int] = []
    after: Place | None = None
    while True:
        search = AuditSearch(stretch=Stretch(limit=7, after=after), columns=("hostname",), **filters)
        page = await searches.audit(search)
        found += [row["offset"] for row in page.items]
        after = page.next
        if after is None:
            assert len(found) == len(set(found))
            return set(found)


def the_manifest_says_what_is_there(folder: Path, history: Aged) -> None:
    """By other means than the product's."""
    name = history.parts[1]
    file = folder / f"{name}.ndjson.gz"
    manifest = json.loads((folder / f"{name}.manifest.json").read_text())
    content = gzip.decompress(file.read_bytes())
    rows = [json.loads(line) for line in content.splitlines()]
    first, last = OFFSETS, OFFSETS + LOGGED + ALERTED - 1
    assert [row["offset"] for row in rows] == list(range(first, last + 1))
    assert manifest["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert manifest["content_sha256"] == hashlib.sha256(content).hexdigest()
    assert (manifest["rows"], manifest["bytes"]) == (len(rows), file.stat().st_size)
    assert (manifest["first_key"][:3], manifest["last_key"][:3]) == ([TOPIC, 0, first], [TOPIC, 0, last])
    assert (file.stat().st_mode & 0o777, manifest["schema_version"] >= 12) == (0o600, True)


async def test_a_hold_keeps_what_it_names_until_it_is_lifted(desk: Desk, database: Database) -> None:
    pool = database.pool
    history = await age(pool, -6, -5)
    held = await desk.run("retention", "hold", "set", "--host", "h2", "--table", "alerts", "--reason", "a case")
    second = history.months[1].isoformat() + "T00:00:00Z"
    await desk.run("retention", "hold", "set", "--table", "audit", "--from", second, "--reason", "a court")
    done = await desk.run("retention", "run")
    assert {(each["do"], each["what"], each["why"]) for each in done["actions"] if each["do"] == "keep"} == {
        ("keep", history.parts[1], "legal hold 2"), ("keep", "alerts", "legal hold"),
    }  # fmt: skip
    assert await pool.fetchval("SELECT count(*) FROM audit") == LOGGED + ALERTED
    assert set(await pool.fetchval("SELECT array_agg(hostname) FROM alerts")) == {"h2"}
    await desk.run("retention", "hold", "lift", str(held["id"]), "--reason", "closed", "--actor", "cli:ben")
    assert len((await desk.run("retention", "hold", "list"))["holds"]) == 1
    assert len((await desk.run("retention", "hold", "list", "--all"))["holds"]) == 2
    await desk.run("retention", "run")
    assert await pool.fetchval("SELECT count(*) FROM alerts") == 0
    rows = await pool.fetch("SELECT operation, reason FROM config_audit WHERE table_name = 'legal_holds' ORDER BY id")
    assert [tuple(row) for row in rows] == [("CREATE", "a case"), ("CREATE", "a court"), ("UPDATE", "closed")]


async def test_nothing_is_deleted_where_it_is_switched_off_or_a_policy_cannot_be_read(
    desk: Desk, database: Database
) -> None:
    history = await age(database.pool, -6)
    before = await everything(database.pool)
    await desk.run("config", "set", "retention_enforcement_enabled=false", "--reason", "an audit")
    done = await desk.run("retention", "run")
    assert {each["do"] for each in done["actions"]} == {"keep"}
    await database.pool.execute("UPDATE dynamic_config SET value = 'maybe'")
    assert "retention_enforcement_enabled" in await desk.run("retention", "run", status=65)
    await database.pool.execute("DELETE FROM dynamic_config")
    assert "MUTT_ARCHIVE_DIR" in await desk.run("retention", "run", MUTT_ARCHIVE_DIR="", status=78)
    assert history.parts[0] in {each["what"] for each in done["actions"]}
    after = await everything(database.pool)
    assert after | {"config_audit": 0} == before | {"config_audit": 0}


async def test_what_the_books_do_not_know_stays_where_it_is(desk: Desk, database: Database) -> None:
    history = await age(database.pool, -6)
    await database.pool.execute("DELETE FROM ledger")
    done = await desk.run("retention", "run", status=1)
    assert "no row of the ledger covers 25 of its rows" in "".join(done["problems"])
    assert await database.pool.fetchval(f"SELECT count(*) FROM {history.parts[0]}") == LOGGED + ALERTED
    assert await database.pool.fetchval("SELECT count(*) FROM alerts") == ALERTED
    assert (await desk.run("retention", "status", status=1))["last_outcome"] == "failed"


async def test_of_two_runs_one_waits_out_the_other(desk: Desk, database: Database) -> None:
    history = await age(database.pool, -6)
    async with lock(database.pool, lock_key("retention")) as held:
        assert held is not None
        assert "another run" in await desk.run("retention", "run", "--wait", "0", status=75)
    first, second = await asyncio.gather(desk.run("retention", "run"), desk.run("retention", "run"))
    assert sorted(map(len, (first["actions"], second["actions"]))) == [0, 7]
    assert (await desk.run("retention", "verify", *history.parts))["ok"]


@pytest.mark.checks("PG_2")
async def test_the_audit_of_configuration_loses_nothing_but_to_an_archive(database: Database) -> None:
    pool = database.pool
    await age(pool, 0)
    for condition in ("changed_at < now() - interval '399 days'", "false", "true"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
            await pool.execute(f"DELETE FROM config_audit WHERE {condition}")


async def test_rows_of_no_partition_are_told_and_stand_in_the_way_of_theirs(desk: Desk, database: Database) -> None:
    pool = database.pool
    last = await pool.fetchval(f"SELECT max(name) FROM ({PARTS}) parts")
    await pool.execute(f"DROP TABLE {last}")
    await audit_row(pool, 1, dt.datetime(int(last[6:10]), int(last[11:13]), 2, tzinfo=dt.UTC))
    done = await desk.run("retention", "run", status=1)
    assert [last in problem for problem in done["problems"]] == [True]
    assert "audit_default holds 1 rows" in done["warnings"][0]
    stands = await desk.run("retention", "status", status=1)
    assert (stands["strays"], stands["months_ahead"]) == (1, 2)


async def test_partitions_that_are_missing_are_made(desk: Desk, database: Database) -> None:
    names = [row["name"] for row in await database.pool.fetch(PARTS)]
    await database.pool.execute(f"DROP TABLE {', '.join(names[1:])}")
    done = await desk.run("retention", "run")
    assert [(each["do"], each["what"]) for each in done["actions"]] == [("create", name) for name in names[1:]]
    assert [row["name"] for row in await database.pool.fetch(PARTS)] == names


@pytest.mark.proves("files.wrong")
async def test_an_archive_that_was_changed_is_found(desk: Desk, database: Database) -> None:
    parts = (await age(database.pool, -9, -8, -7, -6, -5)).parts
    await desk.run("retention", "run")
    files = [desk.folder / f"{part}.ndjson.gz" for part in parts]
    data = bytearray(files[0].read_bytes())
    data[len(data) // 2] ^= 1
    files[0].write_bytes(data)
    files[1].write_bytes(files[1].read_bytes()[:-9])
    files[2].unlink()
    manifest = desk.folder / f"{parts[3]}.manifest.json"
    manifest.write_text(manifest.read_text().replace('"rows": 25', '"rows": 24'))
    (desk.folder / f"{parts[4]}.manifest.json").write_text("{")
    (desk.folder / "audit_1999_01.ndjson.gz").write_bytes(b"")
    found = await desk.run("retention", "verify", status=1)
    assert sorted(each["name"] for each in found["archives"] if each["problem"]) == parts
    assert found["not_ours"] == ["audit_1999_01"]
    assert "SHA-256" in await desk.run("retention", "restore", parts[0], status=65)
    assert await database.pool.fetchval("SELECT to_regclass($1)", f"restored_{parts[0]}") is None


async def test_archives_are_forgotten_after_their_years(desk: Desk, database: Database) -> None:
    [part] = (await age(database.pool, -6)).parts
    await desk.run("retention", "run")
    await database.pool.execute(
        "UPDATE retention_archives SET (low, high) = (low - interval '8 years', high - interval '8 years')"
        " WHERE name = $1",
        part,
    )
    done = await desk.run("retention", "run")
    assert [(each["do"], each["what"], each["rows"]) for each in done["actions"]] == [("forget", part, 25)]
    assert [file for file in desk.folder.iterdir() if part in file.name] == []
    assert (await desk.run("retention", "verify"))["ok"]


async def test_a_topic_that_keeps_longer_than_its_policy_is_told(system: System, folder: Path) -> None:
    desk = Desk(system.database, system.stack, folder)
    produce(system.stack, "mutt.dlq", 0, b"x")  # so that the next test gets the topic anew
    change = ConfigEntry("retention.ms", "-1", incremental_operation=AlterConfigOpType.SET)
    asked = ConfigResource(ConfigResource.Type.TOPIC, "mutt.dlq", incremental_configs=[change])
    admin = AdminClient({"bootstrap.servers": system.stack.kafka.bootstrap})
    for answer in admin.incremental_alter_configs([asked]).values():
        answer.result(30)
    planned = await desk.run("retention", "plan", status=1)
    assert planned["problems"] == ["mutt.dlq keeps its records for ever (retention.ms=-1), its policy is 30 days"]


async def test_nobody_stands_long_behind_who_needs_the_audit_for_himself(database: Database) -> None:
    """While somebody works on the audit, it is asked for a tenth of a second at a time, until it is free."""
    async with database.pool.acquire() as writer, database.pool.acquire() as other:
        assert await briefly(other, "SELECT current_setting('lock_timeout')") == "100ms"
        transaction = writer.transaction()
        await transaction.start()
        await writer.execute("LOCK TABLE audit IN ROW EXCLUSIVE MODE")
        waiting = asyncio.ensure_future(briefly(other, "SELECT create_audit_partition('2031-05-01')"))
        await until(lambda: gave_up(database.pool), "it has given up once")
        assert not waiting.done()
        await transaction.rollback()
        assert await waiting == "audit_2031_05"


async def gave_up(pool: asyncpg.Pool) -> bool:
    return bool(await pool.fetchval("SELECT xact_rollback FROM pg_stat_database WHERE datname = current_database()"))


async def test_every_command_of_the_guide_runs(system: System, folder: Path) -> None:
    desk = Desk(system.database, system.stack, folder)
    history = await age(system.database.pool, -6)
    produce(system.stack, TOPIC, 0, *[b"{}"] * history.offsets)
    typed = commands(RETENTION, "mutt")
    assert len(typed) > 10
    stands_for = {"ARCHIVE": history.parts[0], "retention.prom": str(folder.parent / "retention.prom")}
    for words in typed:
        if words[0] == "retention" and len(words) > 1:
            await desk.run(*(stands_for.get(word, word) for word in words))
    assert await everything(system.database.pool) | {"config_audit": 0} == {
        "audit": 0, "alerts": 0, "dead_letters": HELD_OPEN, "config_audit": 0, "sli": 1,
    }  # fmt: skip
    assert (await desk.run("ledger", "verify"))["ok"]
