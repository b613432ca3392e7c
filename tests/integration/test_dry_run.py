"""Dry runs through the API: sample lines, and events that were audited."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from schemas.rows import AUDIT
from tests.integration.configuring import RULE, Asker, asking
from tests.integration.conftest import Database

RULES = "/api/v2/rules"
DRY_RUN = f"{RULES}/dry-run"
NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)


@pytest_asyncio.fixture
async def api(database: Database) -> AsyncIterator[Asker]:
    async with asking(database) as asker:
        yield asker


def audited(offset: int, **changes: Any) -> tuple[Any, ...]:
    values: dict[str, Any] = dict.fromkeys(AUDIT) | {
        "topic": "mutt.ingest.syslog",
        "partition": 1,
        "offset": offset,
        "broker_time": NOW - dt.timedelta(minutes=60 - offset),
        "hostname": f"h{offset % 2}",
        "disposition": "unhandled",
        "ruleset_version": 1,
        "message": f"fan {offset}",
        "raw": b"{}",
    }
    return tuple((values | changes).values())


async def store(database: Database, *rows: tuple[Any, ...]) -> None:
    await database.pool.copy_records_to_table("audit", records=rows, columns=AUDIT)


async def test_a_new_rule_over_what_was_audited(api: Asker, database: Database) -> None:
    whole = b'{"timestamp":"2026-03-01T12:00:00Z","hostname":"h9","message":"%s fan"}' % (b"x" * 65536)
    await store(
        database,
        *(audited(number) for number in range(6)),
        audited(6, disposition="logged", message="link down"),
        audited(7, hostname="h9", message="x" * 65536, flags=["message_cut"], raw=whole),
    )
    await api.ask("POST", RULES, 201, json=RULE | {"prod_handling": "Log_only", "team_assignment": "netops"})
    await api.ask("POST", "/api/v2/dev-hosts", 201, json={"hostname": "h1"})
    await api.ask("POST", "/api/v2/teams", 201, json={"hostname": "h0", "team_assignment": "hw"})
    before = await api.ask("GET", "/api/v2/config-audit")
    fan = {"match_string": "fan", "prod_handling": "Page_only", "dev_handling": "Ignore"}
    answer = await api.ask("POST", DRY_RUN, json={"rule": fan, "last": 7})
    found = answer["audited"]
    assert (found["judged"], found["changed"]) == (7, 6)
    assert {(one["before"], one["after"]): one["events"] for one in found["kinds"]} == {
        ("unhandled", "alerted"): 3, ("unhandled", "ignored"): 3,
    }  # fmt: skip
    assert {one["hostname"]: one["events"] for one in found["hosts"]} == {"h0": 2, "h1": 3, "h9": 1}
    assert found["teams"] == [{"team": "NETO", "before": 4, "after": 4}, {"team": "hw", "before": 2, "after": 2}]
    newest = found["examples"][0]
    assert (newest["event_id"], newest["hostname"], len(newest["message"])) == ("mutt.ingest.syslog:1:7", "h9", 500)
    assert (newest["before"]["rule_id"], newest["before"]["handling"]) == (None, None)
    assert (newest["after"]["rule_id"], newest["after"]["proposed"], newest["after"]["handling"]) == (
        None,
        0,
        "Page_only",
    )
    assert await api.ask("GET", "/api/v2/config-audit") == before


async def test_a_changed_rule_a_retired_one_and_a_whole_set(api: Asker, database: Database) -> None:
    await store(database, audited(1, message="link down"), audited(2))
    await api.ask("POST", RULES, 201, json=RULE)

    async def kinds(**proposed: Any) -> list[tuple[str, str]]:
        found = (await api.ask("POST", DRY_RUN, json=proposed | {"last": 10000}))["audited"]
        return sorted((one["before"], one["after"]) for one in found["kinds"])

    quiet = RULE | {"prod_handling": "Ignore"}
    assert await kinds(rule=quiet, rule_id=1) == [("alerted", "ignored")]
    assert await kinds(rule_id=1) == [("alerted", "unhandled")]
    assert await kinds(rules=[]) == [("alerted", "unhandled")]
    everything = {"match_type": "any", "prod_handling": "Log_only", "dev_handling": "Log_only"}
    assert await kinds(rules=[everything]) == [("alerted", "logged"), ("unhandled", "logged")]
    assert await kinds(rule=RULE) == []
    await api.ask("POST", DRY_RUN, 404, json={"rule_id": 9, "last": 1})
    bad = {"rules": [RULE, RULE | {"match_type": "regex", "match_string": "("}], "last": 1}
    refused = await api.ask("POST", DRY_RUN, 422, json=bad)
    assert refused["errors"][0]["pointer"] == "/rules/1/match_string"


async def test_sample_lines(api: Asker) -> None:
    await api.ask("POST", RULES, 201, json=RULE | {"priority": 50})
    rule = {
        "match_type": "regex",
        "match_string": "down on ge-[0-9]",
        "prod_handling": "Ignore",
        "dev_handling": "Ignore",
    }
    lines = ["<187>Mar  1 12:00:00 core-1 ifmgr: link down on ge-0/0/1", "link down", "\0"]
    body = {"rule": rule | {"priority": 1}, "lines": lines, "hostname": "h7"}
    answer = await api.ask("POST", DRY_RUN, json=body)
    changed, same, none = answer["lines"]
    assert (changed["hostname"], changed["changed"], changed["before"]["rule_id"], changed["after"]["proposed"]) == (
        "core-1", True, 1, 0,
    )  # fmt: skip
    assert (same["hostname"], same["changed"], same["after"]["disposition"]) == ("h7", False, "alerted")
    assert (none["refusal"] is not None, none["before"]) == (True, None)
    assert answer["audited"] is None
