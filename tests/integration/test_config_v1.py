"""Rules, hosts, teams, configuration and its audit in the documented v1 shapes, field by field."""

from __future__ import annotations

import datetime as dt
import zlib
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from schemas.config import BY_NAME
from schemas.config_values import to_text
from tests.integration.configuring import RULE, Asker, asking
from tests.integration.conftest import Database

V1 = "/api/v1"
OLD_RULE = RULE | {"team_assignment": "netops"}
R = {
    "id": int, "match_string": str, "trap_oid": type(None), "syslog_severity": type(None), "match_type": str,
    "priority": int, "prod_handling": str, "dev_handling": str, "team_assignment": str, "is_active": bool,
}  # fmt: skip
C = {
    "id": int, "changed_at": str, "changed_by": str, "operation": str, "table_name": str, "record_id": int,
    "old_values": type(None), "new_values": dict, "reason": str, "correlation_id": str,
}  # fmt: skip


@pytest_asyncio.fixture
async def api(database: Database) -> AsyncIterator[Asker]:
    async with asking(database) as asker:
        yield asker


def types(body: dict[str, Any]) -> dict[str, type]:
    return {name: type(value) for name, value in body.items()}


async def refused(api: Asker, method: str, path: str, status: int, json: Any = None) -> str:
    """The message of an error in v1's shape."""
    body = await api.ask(method, V1 + path, status, json=json)
    assert body.keys() == {"error", "correlation_id"}
    return str(body["error"])


async def test_rules(api: Asker) -> None:
    made = await api.ask("POST", f"{V1}/rules", 201, json=OLD_RULE | {"id": 77, "reason": "why"})
    assert made == {"id": 1, "message": "Rule created successfully"}
    shown = await api.ask("GET", f"{V1}/rules/1")
    assert types(shown) == R
    assert shown == {
        "id": 1, "trap_oid": None, "syslog_severity": None, "match_type": "contains", "priority": 100,
        "is_active": True,
    } | OLD_RULE  # fmt: skip
    trap = {"trap_oid": ".1.3.6.1", "prod_handling": "ticket_only", "dev_handling": "Suppress", "team_assignment": "t"}
    await api.ask("POST", f"{V1}/rules", 201, json=trap | {"priority": 5})
    every = (await api.ask("GET", f"{V1}/rules"))["rules"]
    assert [(one["id"], one["match_type"], one["trap_oid"]) for one in every] == [
        (2, "oid_prefix", "1.3.6.1"), (1, "contains", None),
    ]  # fmt: skip
    assert every[0]["dev_handling"] == "Ignore"
    changed = await api.ask("PUT", f"{V1}/rules/1", json={"priority": 1, "reason": "first"})
    assert changed == {"message": "Rule updated successfully"}
    gone = await api.client.request("DELETE", f"{V1}/rules/2", json={"reason": "old"})
    assert gone.json() == {"message": "Rule deleted successfully"}
    assert await api.ask("DELETE", f"{V1}/rules/1") == {"message": "Rule deleted successfully"}
    assert (await api.ask("GET", f"{V1}/rules"))["rules"] == []


async def test_what_rules_are_refused(api: Asker) -> None:
    missing = await refused(api, "POST", "/rules", 400, {"prod_handling": "Page_only", "match_string": "x"})
    assert missing == "Missing required fields: ['dev_handling', 'team_assignment']"
    handled = {name: value for name, value in OLD_RULE.items() if name != "match_string"}
    assert await refused(api, "POST", "/rules", 400, handled) == "Either match_string or trap_oid is required"
    await api.ask("POST", f"{V1}/rules", 201, json=OLD_RULE)
    assert await refused(api, "PUT", "/rules/1", 400, {"reason": "none"}) == "No fields to update"
    assert await refused(api, "PUT", "/rules/1", 400, {"id": 2}) == "No fields to update"
    for path in ("/rules/9", "/rules/2147483648", "/rules/9223372036854775807"):
        for method, body in (("GET", None), ("PUT", {"priority": 1}), ("DELETE", None)):
            assert await refused(api, method, path, 404, body) == "Rule not found"
    for bad in ({"mode": "monitor"}, {"priority": -1}, {"match_string": "x" * 256}, {"match_string": None}, {"x": 1}):
        await refused(api, "PUT", "/rules/1", 422, bad)
        await refused(api, "POST", "/rules", 400 if "match_string" in bad and bad["match_string"] is None else 422,
                      OLD_RULE | bad)  # fmt: skip


async def test_a_change_of_v1_leaves_what_v1_does_not_know(api: Asker) -> None:
    ours = {"mode": "monitor", "alert_severity": "major", "description": "d", "severity_match": "or_worse"}
    await api.ask("POST", "/api/v2/rules", 201, json=RULE | ours)
    await api.ask("PUT", f"{V1}/rules/1", json={"priority": 3})
    assert (await api.ask("GET", "/api/v2/rules/1")).items() >= (ours | {"priority": 3, "version": 2}).items()


async def test_development_hosts(api: Asker) -> None:
    hosts = f"{V1}/dev-hosts"
    added = await api.ask("POST", hosts, 201, json={"hostname": "lab"})
    assert added == {"message": "Dev host added successfully"}
    assert await api.ask("GET", hosts) == {"hosts": [{"hostname": "lab"}]}
    assert await refused(api, "POST", "/dev-hosts", 409, {"hostname": "lab"}) == "Hostname already exists"
    assert await refused(api, "POST", "/dev-hosts", 400, {}) == "hostname is required"
    assert await api.ask("DELETE", f"{hosts}/lab") == {"message": "Dev host deleted successfully"}
    assert await refused(api, "DELETE", "/dev-hosts/lab", 404) == "Hostname not found"


async def test_teams(api: Asker) -> None:
    teams, body = f"{V1}/teams", {"hostname": "h1", "team_assignment": "netops"}
    assert await api.ask("POST", teams, 201, json=body) == {"message": "Team mapping added successfully"}
    assert await api.ask("GET", teams) == {"teams": [body]}
    assert await refused(api, "POST", "/teams", 409, body) == "Hostname already has a team assignment"
    assert (
        await refused(api, "POST", "/teams", 400, {"hostname": "h2"}) == "Missing required fields: ['team_assignment']"
    )
    assert await refused(api, "PUT", "/teams/h1", 400, {}) == "Missing required fields: ['team_assignment']"
    changed = await api.ask("PUT", f"{teams}/h1", json={"team_assignment": "voice"})
    assert changed == {"message": "Team mapping updated successfully"}
    assert await refused(api, "PUT", "/teams/h2", 404, {"team_assignment": "x"}) == "Hostname not found"
    assert await api.ask("DELETE", f"{teams}/h1") == {"message": "Team mapping deleted successfully"}
    assert await refused(api, "DELETE", "/teams/h1", 404) == "Hostname not found"


async def test_configuration(api: Asker) -> None:
    config = (await api.ask("GET", f"{V1}/config"))["config"]
    assert config == {key.name: to_text(key.default) for key in BY_NAME.values()}
    put = f"{V1}/config/moog_rate_limit"
    assert await api.ask("PUT", put, json={"value": "7", "reason": "why"}) == {
        "key": "moog_rate_limit", "old_value": "50", "new_value": "7",
    }  # fmt: skip
    assert (await api.ask("PUT", put, json={"value": 8}))["old_value"] == "7"
    assert "value" in await refused(api, "PUT", "/config/moog_rate_limit", 400, {})
    assert "1 to 100000" in await refused(api, "PUT", "/config/moog_rate_limit", 422, {"value": "x"})
    assert "MUTT_LOG_LEVEL" in await refused(api, "PUT", "/config/log_level", 422, {"value": "x"})
    assert "must be below" in await refused(api, "PUT", "/config/alerter_queue_warn_threshold", 422, {"value": 5000})
    history = await api.ask("GET", f"{V1}/config/history?limit=1")
    assert history["pagination"] == {"page": 1, "limit": 1, "total": 2, "pages": 2}
    (newest,) = history["history"]
    assert (newest["old_values"], newest["new_values"]) == ({"value": "7"}, {"value": "8"})
    second = (await api.ask("GET", f"{V1}/config/history?limit=1&page=2"))["history"][0]
    assert types(second) == {("created_at" if name == "changed_at" else name): kind for name, kind in C.items()}
    assert second["record_id"] == zlib.crc32(b"moog_rate_limit") & 0x7FFFFFFF
    assert second["created_at"].endswith("Z")


async def test_the_audit_under_both_its_names(api: Asker) -> None:
    await api.ask("POST", f"{V1}/rules", 201, json=OLD_RULE | {"reason": "why"})
    await api.ask("DELETE", f"{V1}/rules/1")
    logs = await api.ask("GET", f"{V1}/audit")
    changes = await api.ask("GET", f"{V1}/config-audit")
    assert (changes["changes"], changes["pagination"]) == (logs["logs"], logs["pagination"])
    assert logs["pagination"] == {"page": 1, "limit": 50, "total": 2, "pages": 1}
    deleted, made = logs["logs"]
    assert types(made) == C
    assert (made["record_id"], made["reason"], made["table_name"], made["operation"]) == (
        1,
        "why",
        "alert_rules",
        "CREATE",
    )
    assert deleted["operation"] == "DELETE"
    today = dt.datetime.now(dt.UTC).date().isoformat()
    for query, count in (
        ("changed_by=API:", 2), ("changed_by=nobody", 0), ("operation=create", 1), ("table_name=device_teams", 0),
        ("record_id=1", 2), ("record_id=2", 0), (f"start_date={today}&end_date={today}", 2), ("end_date=2020-01-01", 0),
        ("limit=1000", 2),
    ):  # fmt: skip
        assert len((await api.ask("GET", f"{V1}/audit?{query}"))["logs"]) == count, query
    for wrong in ("operation=REPLAY", "table_name=replays", "record_id=x", "page=0", "start_date=now-1d", "limit=-1"):
        await refused(api, "GET", f"/audit?{wrong}", 422)


async def test_v1_does_not_tell_of_what_came_later(api: Asker, database: Database) -> None:
    await database.pool.execute("INSERT INTO replays (id, actor, filter) VALUES (gen_random_uuid(), 'cli:ann', '{}')")
    assert (await api.ask("GET", f"{V1}/audit"))["logs"] == []
    assert [one["operation"] for one in (await api.ask("GET", "/api/v2/config-audit"))["items"]] == ["REPLAY"]
