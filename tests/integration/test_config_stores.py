"""Rules, hosts, teams and keys on the real PostgreSQL: versions, history, and who may write the audit."""

from __future__ import annotations

import asyncio
import datetime as dt
import zlib
from typing import Any

import asyncpg
import pytest
from msgspec.structs import replace

from schemas.errors import AlreadyThere, NotFound, Outdated
from schemas.rules import MatchType, Mode
from streams.adapters.config_audit import ConfigAudit
from streams.adapters.config_store import ConfigStore
from streams.adapters.host_lists import development_hosts, device_teams
from streams.adapters.rule_store import RuleStore
from streams.adapters.transactions import Transactions
from streams.core.authors import Author
from streams.core.config_audit import ConfigAuditQuery
from streams.core.host_lists import HostQuery
from streams.core.paging import Sort
from streams.core.rule_book import RuleQuery
from tests.builders import rule
from tests.integration.conftest import Database

ANN = Author("api:ann", "why", "c1", "corr", "req")
BOB = Author("api:bob")


@pytest.fixture
def rules(database: Database) -> RuleStore:
    return RuleStore(Transactions(database.pool))


@pytest.fixture
def audit(database: Database) -> ConfigAudit:
    return ConfigAudit(Transactions(database.pool))


async def changes(audit: ConfigAudit, **query: Any) -> list[Any]:
    return list((await audit.page(ConfigAuditQuery(**query), after=None, limit=100)).items)


async def test_I8_every_change_of_a_rule_is_a_version_with_its_author(rules: RuleStore, audit: ConfigAudit) -> None:
    first = await rules.create(rule(match_string="one"), ANN)
    second = await rules.update(replace(first.rule, match_string="two"), BOB, expected=1)
    await rules.retire(first.rule.id, ANN, expected=2)
    with pytest.raises(NotFound):
        await rules.update(second.rule, BOB, expected=None)
    old = await rules.version(first.rule.id, 1)
    back = await rules.restore(old.rule, BOB, expected=3)
    assert (back.rule.version, back.rule.match_string, back.retired_at) == (4, "one", None)
    history = (await rules.history(first.rule.id, after=None, limit=10)).items
    assert [(one.rule.version, one.operation, one.changed_by, one.reason, one.retired) for one in history] == [
        (4, "UPDATE", "api:bob", None, False),
        (3, "DELETE", "api:ann", "why", True),
        (2, "UPDATE", "api:bob", None, False),
        (1, "CREATE", "api:ann", "why", False),
    ]
    newest, *_, oldest = await changes(audit, tables=("alert_rules",))
    assert (oldest.client_id, oldest.correlation_id, oldest.request_id) == ("c1", "corr", "req")
    assert (newest.before["match_string"], newest.after["match_string"]) == ("two", "one")
    assert oldest.record_id == first.rule.id


async def test_only_one_of_two_writers_with_one_version_wins(rules: RuleStore) -> None:
    stored = await rules.create(rule(), ANN)
    tries = [rules.update(replace(stored.rule, priority=number), ANN, expected=1) for number in (1, 2)]
    ended = await asyncio.gather(*tries, return_exceptions=True)
    assert sorted(type(one).__name__ for one in ended) == ["Outdated", "StoredRule"]
    assert (await rules.get(stored.rule.id)).rule.version == 2


async def test_rules_are_found_and_paged_in_order(rules: RuleStore) -> None:
    for number in range(5):
        await rules.create(rule(match_string=f"a%{number}", priority=number // 2, mode=Mode.ACTIVE), ANN)
    await rules.create(rule(match_type=MatchType.ANY, match_string=None, mode=Mode.MONITOR), ANN)

    async def found(**query: Any) -> list[int]:
        ids: list[int] = []
        after = None
        while True:
            page = await rules.page(RuleQuery(**query), after=after, limit=2)
            ids += [stored.rule.id for stored in page.items]
            if (after := page.next) is None:
                return ids

    assert await found() == [1, 2, 3, 4, 5, 6]
    assert await found(sort=Sort("updated_at", descending=True)) == [6, 5, 4, 3, 2, 1]
    assert await found(text="A%3") == [4]
    assert await found(text="_") == []
    assert await found(mode=Mode.MONITOR) == [6]
    assert await found(retired=True) == []


async def test_a_host_deleted_and_added_again_has_a_new_version(database: Database) -> None:
    hosts = development_hosts(Transactions(database.pool))
    first = await hosts.add(ANN, "lab")
    with pytest.raises(AlreadyThere):
        await hosts.add(BOB, "lab")
    await hosts.remove(BOB, "lab", expected=first.version)
    with pytest.raises(NotFound):
        await hosts.remove(BOB, "lab", expected=None)
    second = await hosts.add(ANN, "lab")
    with pytest.raises(Outdated):
        await hosts.remove(BOB, "lab", expected=first.version)
    assert (await hosts.page(HostQuery(text="A"), after=None, limit=5)).items == (second,)


async def test_a_team_is_changed_under_its_version(database: Database, audit: ConfigAudit) -> None:
    teams = device_teams(Transactions(database.pool))
    first = await teams.add(ANN, "h1", "netops")
    second = await teams.change(BOB, "h1", "voice", expected=first.version)
    assert second.version != first.version
    with pytest.raises(Outdated):
        await teams.change(ANN, "h1", "x", expected=first.version)
    assert (await teams.change(BOB, "h1", "voice", expected=None)).version == second.version
    newest, oldest = await changes(audit, object="h1")
    assert (newest.before, newest.after) == ({"team_assignment": "netops"}, {"team_assignment": "voice"})
    assert oldest.after == {"hostname": "h1", "team_assignment": "netops"}
    assert oldest.record_id == zlib.crc32(b"h1") & 0x7FFFFFFF


async def test_a_key_is_changed_under_its_version(database: Database) -> None:
    store = ConfigStore(Transactions(database.pool))
    await store.change({"moog_rate_limit": "7"}, ANN, expected={"moog_rate_limit": 0})
    with pytest.raises(Outdated, match="moog_rate_limit"):
        await store.change({"moog_rate_limit": "8"}, BOB, expected={"moog_rate_limit": 0})
    version = (await store.stored())["moog_rate_limit"].version
    assert await store.change({"moog_rate_limit": None}, BOB, expected={"moog_rate_limit": version}) == {
        "moog_rate_limit": ("7", None)
    }


async def test_the_audit_is_searched_by_all_its_filters(database: Database, audit: ConfigAudit) -> None:
    store = ConfigStore(Transactions(database.pool))
    await store.change({"moog_rate_limit": "7"}, ANN)
    await store.change({"moog_rate_limit": "8"}, BOB)
    now = dt.datetime.now(dt.UTC)
    found: list[tuple[dict[str, Any], int]] = [
        ({}, 2), ({"actor": "ANN"}, 1), ({"actor": "a_n"}, 0), ({"client_id": "c1"}, 1), ({"text": '"7"'}, 2),
        ({"operations": ("UPDATE",)}, 1), ({"tables": ("alert_rules",)}, 0), ({"object": "moog_rate_limit"}, 2),
        ({"record_id": zlib.crc32(b"moog_rate_limit") & 0x7FFFFFFF}, 2), ({"text": "why"}, 1),
        ({"start": now - dt.timedelta(hours=1), "end": now + dt.timedelta(hours=1)}, 2),
        ({"end": now - dt.timedelta(hours=1)}, 0),
    ]  # fmt: skip
    assert [(query, len(await changes(audit, **query))) for query, _ in found] == found
    numbered = await audit.numbered(ConfigAuditQuery(), page=2, limit=1)
    assert ([one.operation for one in numbered.items], numbered.total) == (["CREATE"], 2)
    pieces = [piece async for piece in audit.every(ConfigAuditQuery(), piece=1)]
    assert [one.operation for piece in pieces for one in piece] == ["UPDATE", "CREATE"]


async def test_a_replay_has_its_entry(database: Database, audit: ConfigAudit) -> None:
    await database.pool.execute(
        "INSERT INTO replays (id, actor, reason, filter) VALUES (gen_random_uuid(), 'cli:ann', 'fixed', '{}')"
    )
    (entry,) = await changes(audit)
    assert (entry.operation, entry.table, entry.changed_by, entry.reason) == ("REPLAY", "replays", "cli:ann", "fixed")


ROLE = """
CREATE ROLE {role} NOLOGIN;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role};
GRANT INSERT, UPDATE ON alert_rules, development_hosts, device_teams, dynamic_config TO {role};
GRANT DELETE ON development_hosts, device_teams, dynamic_config TO {role};
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role};
"""


async def test_I8_a_role_that_may_change_configuration_cannot_touch_its_audit(database: Database) -> None:
    role = "of_the_api_" + database.settings.database_url.rpartition("_")[2]
    async with database.pool.acquire() as connection, connection.transaction():
        await connection.execute(ROLE.format(role=role))
        await connection.execute(f"SET LOCAL ROLE {role}")
        await connection.execute("CREATE TEMPORARY TABLE config_audit (LIKE public.config_audit)")
        await connection.execute("INSERT INTO dynamic_config (key, value) VALUES ('slo_window_hours', '48')")
        assert await connection.fetchval("SELECT count(*) FROM public.config_audit") == 1
        assert await connection.fetchval("SELECT count(*) FROM pg_temp.config_audit") == 0
        for statement in (
            "UPDATE public.config_audit SET reason = 'x'",
            "DELETE FROM public.config_audit",
            "TRUNCATE public.config_audit",
            "INSERT INTO public.config_audit (changed_by, operation, table_name, object) VALUES ('x', 'x', 'x', '')",
            "UPDATE alert_rule_versions SET body = '{}'",
            "ALTER TABLE public.config_audit DISABLE TRIGGER append_only",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                async with connection.transaction():
                    await connection.execute(statement)
        await connection.execute("RESET ROLE")
        await connection.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")
