"""Rules in the real PostgreSQL: snapshot, import, audit, and how fast changes reach a watcher."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from msgspec.structs import replace

from schemas.errors import RuleRefused, StoreUnavailable
from schemas.rules import Handling, MatchType, Mode
from streams.adapters.database import connect
from streams.adapters.rule_watcher import RuleWatcher
from streams.adapters.rules import PostgresRuleSource, export_rules, import_rules
from streams.core.authors import Author
from tests.builders import event, rule
from tests.programs import bare_environment, run_text

pytestmark = pytest.mark.integration

RULES = [
    rule(match_string="link down", priority=50),
    rule(match_string="x", is_active=False),
    rule(match_type=MatchType.OID_PREFIX, match_string=None, trap_oid="1.3", priority=1, mode=Mode.MONITOR),
    rule(match_type=MatchType.REGEX, match_string="é+\\s?'; DROP TABLE alert_rules;--", team_assignment=None),
]


async def load(database: Any, rules: list[Any], **who: Any) -> Any:
    async with database.pool.acquire() as connection:
        return await import_rules(connection, rules, Author(**{"actor": "tests"} | who))


async def until(condition: Callable[[], object], seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def watching(database: Any) -> AsyncIterator[RuleWatcher]:
    source = PostgresRuleSource(database.pool)
    watcher = RuleWatcher(source, lambda: connect(database.settings, database.secrets))
    task = asyncio.create_task(watcher.run())
    try:
        async with asyncio.timeout(10):
            await watcher.first()
        yield watcher
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def listeners(database: Any) -> int:
    found: int = await database.pool.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()"
    )
    return found


async def until_listening(database: Any) -> None:
    async with asyncio.timeout(10):
        while not await listeners(database):
            await asyncio.sleep(0.02)


async def test_what_is_imported_is_loaded_in_rank_order(database: Any) -> None:
    assert await load(database, RULES) == (4, 0)
    loaded = await PostgresRuleSource(database.pool).load()
    wanted = [replace(RULES[number], id=number + 1) for number in (2, 0, 3)]
    assert list(loaded.rules) == wanted


async def test_an_import_repeated_adds_nothing(database: Any) -> None:
    await load(database, RULES)
    assert await load(database, [*RULES, RULES[0]]) == (1, 4)
    assert await load(database, []) == (0, 0)


async def test_a_bad_row_undoes_the_whole_import(database: Any) -> None:
    with pytest.raises(asyncpg.PostgresError):
        await load(database, [RULES[0], replace(RULES[0], priority=-1)])
    async with database.pool.acquire() as connection:
        assert await export_rules(connection) == []


async def test_I8_an_import_is_in_the_audit_with_who_and_why(database: Any) -> None:
    await load(database, RULES, actor="cli:alice", reason="new site")
    rows = await database.pool.fetch("SELECT changed_by, operation, object, reason FROM config_audit ORDER BY id")
    assert [tuple(row) for row in rows] == [("cli:alice", "CREATE", str(id), "new site") for id in range(1, 5)]
    assert await database.pool.fetchval("SELECT count(*) FROM alert_rule_versions WHERE changed_by = 'cli:alice'") == 4


async def test_the_version_counts_changes_and_the_digest_tells_content(database: Any) -> None:
    source = PostgresRuleSource(database.pool)
    empty = await source.load()
    await load(database, RULES)
    full = await source.load()
    assert full.version == await source.version() > empty.version
    assert full.digest != empty.digest
    await database.pool.execute("UPDATE alert_rules SET retired_at = now()")
    assert (await source.load()).digest == empty.digest


async def test_hosts_teams_and_configuration_are_part_of_the_snapshot(database: Any) -> None:
    await database.pool.execute(
        "INSERT INTO development_hosts VALUES ('lab'); INSERT INTO device_teams VALUES ('h1', 't')"
    )
    await database.pool.execute(
        "INSERT INTO dynamic_config VALUES ('moog_rate_limit', '7'), ('unhandled_threshold', 'x')"
    )
    told: list[str] = []
    loaded = await PostgresRuleSource(database.pool, on_problem=told.append).load()
    assert (loaded.development_hosts, loaded.device_teams) == ({"lab"}, {"h1": "t"})
    assert (loaded.config.moog_rate_limit, loaded.config.unhandled_threshold) == (7, 100)
    assert len(told) == 1


async def test_a_stored_rule_that_is_none_is_named(database: Any) -> None:
    await load(database, RULES)
    await database.pool.execute("UPDATE alert_rules SET prod_handling = 'page' WHERE id = 1")
    with pytest.raises(RuleRefused, match="stored rule 1"):
        await PostgresRuleSource(database.pool).load()


async def test_ten_thousand_rules_are_imported_in_seconds(database: Any) -> None:
    many = [rule(match_string=f"word {number}") for number in range(10_000)]
    async with asyncio.timeout(20):
        assert (await load(database, many)).added == 10_000
        assert len((await PostgresRuleSource(database.pool).load()).rules) == 10_000


async def test_a_database_that_is_away_is_unavailable() -> None:
    pool = asyncpg.create_pool("postgresql://mutt@127.0.0.1:1/mutt", min_size=0, max_size=1)
    async with pool:
        with pytest.raises(StoreUnavailable):
            await PostgresRuleSource(pool).version()


async def test_a_change_is_in_force_within_a_second(database: Any) -> None:
    async with watching(database) as watcher:
        await until_listening(database)
        await load(database, RULES)
        await until(lambda: watcher.current and len(watcher.current.rule_set.rules) == 3, 1.0)
        assert watcher.current is not None
        assert watcher.current.judge(event(message="LINK DOWN")).handling is Handling.PAGE_AND_TICKET
        await database.pool.execute("INSERT INTO development_hosts VALUES ('h1')")
        await until(
            lambda: watcher.current and watcher.current.judge(event(message="link down")).handling == "Log_only", 1.0
        )


@pytest.mark.proves("configuration.wrong")
async def test_a_set_that_does_not_compile_leaves_the_last_good_one(database: Any) -> None:
    async with watching(database) as watcher:
        await until_listening(database)
        good = watcher.current
        await load(database, [rule(match_type=MatchType.REGEX, match_string="(")])
        await until(lambda: watcher.last_error, 2.0)
        assert watcher.current is good
        assert "rule 1" in (watcher.last_error or "")
        await database.pool.execute("UPDATE alert_rules SET match_string = 'fine'")
        await until(lambda: watcher.current is not good and watcher.last_error is None, 2.0)


async def test_a_lost_listening_connection_is_opened_again(database: Any) -> None:
    async with watching(database) as watcher:
        await until_listening(database)
        await database.pool.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE query LIKE 'LISTEN%' AND datname = current_database()"
        )
        await load(database, RULES)
        await until(lambda: watcher.current and watcher.current.rule_set.rules, 3.0)
        await until_listening(database)


def command(database: Any, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`mutt rules` in its own process, as an operator runs it."""
    return run_text("mutt", "rules", *arguments, environment=bare_environment(**database.settings.to_env()))


@pytest.mark.parametrize("format", ["jsonl", "yaml"])
async def test_what_the_command_exports_it_imports(database: Any, tmp_path: Path, format: str) -> None:
    await load(database, RULES)
    exported = await asyncio.to_thread(command, database, "export", "--format", format)
    assert (exported.returncode, exported.stderr) == (0, "")
    file = tmp_path / f"rules.{format}"
    file.write_text(exported.stdout, encoding="utf-8")
    again = await asyncio.to_thread(command, database, "import", str(file), "--yes", "--json")
    assert json.loads(again.stdout) == {"dry_run": False, "added": 0, "unchanged": 4}
    await database.pool.execute("UPDATE alert_rules SET retired_at = now()")
    look = await asyncio.to_thread(command, database, "import", str(file), "--dry-run", "--json")
    assert json.loads(look.stdout) == {"dry_run": True, "added": 4, "unchanged": 0}
    done = await asyncio.to_thread(
        command, database, "import", str(file), "--yes", "--actor", "bob", "--reason", "back"
    )
    assert (done.returncode, done.stdout) == (0, "4 rules added, 0 there already\n")
    assert await database.pool.fetchval("SELECT count(*) FROM config_audit WHERE changed_by = 'bob'") == 4
