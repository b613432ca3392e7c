"""Rules, hosts, teams, configuration and its audit through v2, on the real PostgreSQL."""

from __future__ import annotations

import asyncio
import csv
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from tests.integration.configuring import RULE, Asker, asking
from tests.integration.conftest import Database

RULES, CONFIG, AUDIT = "/api/v2/rules", "/api/v2/config", "/api/v2/config-audit"


@pytest_asyncio.fixture
async def api(database: Database) -> AsyncIterator[Asker]:
    async with asking(database) as asker:
        yield asker


async def test_a_rule_from_its_creation_to_its_return(api: Asker) -> None:
    made = await api.ask("POST", RULES, 201, json=RULE | {"prod_handling": " page_ONLY ", "reason": "new"})
    assert (made["id"], made["version"], made["prod_handling"], made["match_type"]) == (1, 1, "Page_only", "contains")
    changed = await api.write("PATCH", f"{RULES}/1", json={"priority": 7, "team_assignment": "voice"})
    assert (changed["version"], changed["priority"], changed["match_string"]) == (2, 7, "link down")
    back = await api.write("PATCH", f"{RULES}/1", json={"priority": None})
    assert (back["priority"], back["team_assignment"]) == (100, "voice")
    whole = await api.write("PUT", f"{RULES}/1", json=RULE)
    assert (whole["version"], whole["team_assignment"]) == (4, None)
    assert await api.write("DELETE", f"{RULES}/1?reason=gone", 204) == ""
    assert (await api.ask("GET", f"{RULES}/1"))["retired_at"] is not None
    await api.write("PUT", f"{RULES}/1", 404, json=RULE)
    assert (await api.ask("GET", RULES))["items"] == []
    history = (await api.ask("GET", f"{RULES}/1/history?fields=version,operation,reason,retired"))["items"]
    assert [tuple(one.values()) for one in history] == [
        (5, "DELETE", "gone", True),
        (4, "UPDATE", None, False),
        (3, "UPDATE", None, False),
        (2, "UPDATE", None, False),
        (1, "CREATE", "new", False),
    ]
    restored = await api.ask(
        "POST", f"{RULES}/1/restore", json={"version": 2, "reason": "right"}, headers={"If-Match": '"5"'}
    )
    assert (restored["version"], restored["team_assignment"], restored["retired_at"]) == (6, "voice", None)
    await api.ask("POST", f"{RULES}/1/restore", 404, json={"version": 99}, headers={"If-Match": '"6"'})
    await api.ask("GET", f"{RULES}/9/history", 404)


async def test_A7_a_write_names_what_it_saw(api: Asker) -> None:
    await api.ask("POST", RULES, 201, json=RULE)
    for method, body in (("PUT", RULE), ("PATCH", {"priority": 1}), ("DELETE", None)):
        await api.ask(method, f"{RULES}/1", 428, json=body)
        await api.ask(method, f"{RULES}/1", 412, json=body, headers={"If-Match": '"2"'})
        await api.ask(method, f"{RULES}/1", 412, json=body, headers={"If-Match": 'W/"1"'})
    assert (await api.ask("PATCH", f"{RULES}/1", json={"priority": 1}, headers={"If-Match": "*"}))["version"] == 2
    await api.ask("GET", f"{RULES}/1", 304, headers={"If-None-Match": '"2"'})
    await api.ask("PUT", f"{CONFIG}/moog_rate_limit", 428, json={"value": 7})
    await api.ask("PUT", f"{CONFIG}/moog_rate_limit", 412, json={"value": 7}, headers={"If-Match": '"1"'})


async def test_a_key_goes_back_to_its_default_only_where_the_others_let_it(api: Asker) -> None:
    warn, shed = (f"{CONFIG}/alerter_queue_{name}_threshold" for name in ("warn", "shed"))
    await api.write("PUT", warn, json={"value": 500})
    await api.write("PUT", shed, json={"value": 900})
    problem = await api.write("DELETE", warn, 409)
    assert "must be below alerter_queue_shed_threshold=900" in problem["detail"]


async def test_of_two_writers_with_one_etag_one_is_told_so(api: Asker) -> None:
    await api.ask("POST", RULES, 201, json=RULE)
    tag = {"If-Match": '"1"'}
    tries = [api.client.patch(f"{RULES}/1", json={"priority": number}, headers=tag) for number in (1, 2)]
    assert sorted(one.status_code for one in await asyncio.gather(*tries)) == [200, 412]
    history = await api.ask("GET", f"{RULES}/1/history")
    assert len(history["items"]) == 2


async def test_one_idempotency_key_makes_one_rule(api: Asker) -> None:
    key = {"Idempotency-Key": "k1"}
    tries = [api.client.post(RULES, json=RULE, headers=key) for _ in range(5)]
    assert {one.status_code for one in await asyncio.gather(*tries)} <= {201, 409}
    assert (await api.ask("POST", RULES, 201, json=RULE, headers=key))["id"] == 1
    assert len((await api.ask("GET", RULES))["items"]) == 1


async def test_lists_are_filtered_sorted_and_paged(api: Asker) -> None:
    for number in range(3):
        await api.ask("POST", RULES, 201, json=RULE | {"priority": 9 - number, "description": f"d{number}"})
    query = f"{RULES}?sort=-priority&limit=2&fields=id,priority"
    first = await api.ask("GET", query)
    assert first["items"] == [{"id": 1, "priority": 9}, {"id": 2, "priority": 8}]
    second = await api.ask("GET", f"{query}&cursor={first['next']}")
    assert (second["items"], second["next"]) == ([{"id": 3, "priority": 7}], None)
    await api.ask("GET", f"{RULES}?cursor={first['next']}", 400)
    assert [one["id"] for one in (await api.ask("GET", f"{RULES}?q=D1&handling=Log_only&is_active=true"))["items"]] == [
        2
    ]
    for wrong in (
        "sort=;drop",
        "sort=match_string",
        "fields=secret",
        "limit=1001",
        "limit=0",
        "match_type=glob",
        "x=1",
    ):
        await api.ask("GET", f"{RULES}?{wrong}", 422)


async def test_a_file_of_rules_goes_in_whole_and_comes_out_again(api: Asker) -> None:
    file = '{"match_string": "a"}\n{"match_type": "regex", "match_string": "b[0-9]", "priority": 1}\n'
    ndjson = {"Content-Type": "application/x-ndjson"}
    path = f"{RULES}/import"
    look = await api.ask("POST", f"{path}?dry_run=true", content=file, headers=ndjson)
    assert look == {"added": 2, "unchanged": 0, "dry_run": True}
    assert (await api.ask("POST", f"{path}?reason=site", content=file, headers=ndjson))["added"] == 2
    for format_, media in (("jsonl", "application/x-ndjson"), ("yaml", "application/yaml")):
        exported = await api.client.get(f"{RULES}/export?format={format_}")
        assert exported.headers["content-type"].startswith(media)
        again = await api.ask("POST", path, content=exported.text, headers={"Content-Type": media})
        assert again == {"added": 0, "unchanged": 2, "dry_run": False}
    assert [one["reason"] for one in (await api.ask("GET", AUDIT))["items"]] == ["site", "site"]


async def test_hosts_and_teams(api: Asker) -> None:
    hosts, teams = "/api/v2/dev-hosts", "/api/v2/teams"
    await api.ask("POST", hosts, 201, json={"hostname": "Büro 1"})
    await api.ask("POST", hosts, 409, json={"hostname": "Büro 1"})
    answer = await api.client.post(teams, json={"hostname": "h1", "team_assignment": "netops"})
    assert answer.headers["location"] == f"{teams}/h1"
    changed = await api.write("PUT", f"{teams}/h1", json={"team_assignment": "voice"})
    assert changed["team_assignment"] == "voice"
    await api.ask("DELETE", f"{teams}/h1", 412, headers={"If-Match": answer.headers["etag"]})
    assert [one["hostname"] for one in (await api.ask("GET", f"{hosts}?q=büro"))["items"]] == ["Büro 1"]
    assert (await api.ask("GET", f"{teams}?team_assignment=netops"))["items"] == []
    await api.write("DELETE", f"{hosts}/Büro 1", 204)
    await api.write("DELETE", f"{teams}/h1", 204)
    await api.ask("GET", f"{teams}/h1", 404)
    for bad in ("", " ", "a/b", "a\nb", "lab\n", "..", "x" * 256, "a\u0000"):
        await api.ask("POST", hosts, 422, json={"hostname": bad})


async def test_a_key_and_keys_together(api: Asker) -> None:
    limit = f"{CONFIG}/moog_rate_limit"
    assert (await api.ask("GET", limit))["version"] == 0
    changed = await api.write("PUT", limit, json={"value": 7, "reason": "slow receiver"})
    assert (changed["value"], changed["default"], changed["is_set"], changed["type"]) == (7, 50, True, "integer")
    assert (await api.write("DELETE", limit))["is_set"] is False
    together = {"alerter_queue_warn_threshold": 3000, "alerter_queue_shed_threshold": 6000}
    done = await api.ask("POST", f"{CONFIG}/changes", json={"changes": together})
    assert {one["key"]: one["value"] for one in done["items"]} == together
    await api.write("PUT", f"{CONFIG}/alerter_queue_shed_threshold", 422, json={"value": 2000})
    stale = {"changes": {"moog_rate_limit": 8}, "expected": {"alerter_queue_warn_threshold": 0}}
    await api.ask("POST", f"{CONFIG}/changes", 412, json=stale)
    history = (await api.ask("GET", f"{limit}/history?fields=operation,patch,reason"))["items"]
    assert [one["operation"] for one in history] == ["DELETE", "CREATE"]
    assert history[1]["patch"] == [
        {"op": "replace", "path": "", "value": {"key": "moog_rate_limit", "value": "7"}},
    ]
    everything = (await api.ask("GET", CONFIG))["items"]
    assert {one["read_by"] for one in (await api.ask("GET", f"{CONFIG}?read_by=api"))["items"]} == {"api"}
    assert len(everything) > 30
    await api.ask("GET", f"{CONFIG}/no_such_key", 404)


async def test_A5_a_value_of_another_type_names_its_bounds(api: Asker) -> None:
    async def told(name: str, value: Any) -> str:
        answer = await api.write("PUT", f"{CONFIG}/{name}", 422, json={"value": value})
        assert answer["errors"][0]["pointer"] == "/value"
        return str(answer["errors"][0]["detail"])

    assert "1 to 100000" in await told("moog_rate_limit", "7")
    assert "1 to 100000" in await told("moog_rate_limit", True)
    assert "1 to 100000" in await told("moog_rate_limit", 7.0)
    assert "1 to 100000" in await told("moog_rate_limit", 0)
    assert "true or false" in await told("ingest_paused", "true")
    assert "dlq or defer" in await told("alerter_shed_mode", "drop")
    both = {"changes": {"log_level": "x", "moog_rate_limit": None, "slo_window_hours": 0}}
    faults = (await api.ask("POST", f"{CONFIG}/changes", 422, json=both))["errors"]
    assert [fault["pointer"] for fault in faults] == ["/changes/log_level", "/changes/slo_window_hours"]
    assert "MUTT_LOG_LEVEL" in faults[0]["detail"]


async def test_the_cross_key_rules_hold_between_writers(api: Asker) -> None:
    async def change(name: str, value: int) -> int:
        answer = await api.client.post(f"{CONFIG}/changes", json={"changes": {name: value}})
        return answer.status_code

    warn, shed = "alerter_queue_warn_threshold", "alerter_queue_shed_threshold"
    assert sorted(await asyncio.gather(change(warn, 1800), change(shed, 1500))) == [200, 422]


async def test_the_audit_tells_who_through_what_and_leaves_as_a_file(api: Asker) -> None:
    correlated = {"X-Correlation-ID": "mine-1"}
    formula = "=cmd|' /C calc'!A0"
    answer = await api.client.post(RULES, json=RULE | {"reason": formula, "description": "x,y"}, headers=correlated)
    await api.ask("POST", "/api/v2/dev-hosts", 201, json={"hostname": "@lab"})
    newest, oldest = (await api.ask("GET", AUDIT))["items"]
    assert (oldest["actor"], oldest["client_id"]) == ("api:development", "development")
    assert (oldest["correlation_id"], oldest["request_id"]) == ("mine-1", answer.headers["x-request-id"])
    assert (newest["table"], newest["object"], newest["before"]) == ("development_hosts", "@lab", None)
    assert await api.ask("GET", f"{AUDIT}/{newest['id']}") == newest
    await api.ask("GET", f"{AUDIT}/99999", 404)
    asked = "operation=create&table=alert_rules&object=1&actor=API:&since=2020-01-01T00:00:00Z&q=x,y"
    assert (await api.ask("GET", f"{AUDIT}?{asked}"))["items"] == [oldest]
    for wrong in ("since=2020-01-01", "since=now-1d", "since=2021-01-01T00:00:00Z&until=2020-01-01T00:00:00Z"):
        await api.ask("GET", f"{AUDIT}?{wrong}", 422)
    lines = (await api.ask("GET", f"{AUDIT}/export")).splitlines()
    assert [json.loads(line) for line in lines] == [newest, oldest]
    text = await api.ask("GET", f"{AUDIT}/export?format=csv")
    rows = list(csv.DictReader(text.splitlines()))
    assert (rows[0]["object"], rows[1]["reason"]) == ("'@lab", "'" + formula)
    assert json.loads(rows[1]["after"])["description"] == "x,y"
