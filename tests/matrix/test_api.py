"""The API dies, stands still, or breaks off; its clients ask again, hang up, or read only half."""

from __future__ import annotations

import asyncio
import http.client
import os
import socket
import struct
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from ops.devstack.layout import free_port
from schemas.secret_names import API_KEY
from tests.integration.api_process import get, process
from tests.integration.configuring import RULE
from tests.integration.conftest import Database
from tests.integration.pipeline import until
from tests.matrix.ground import Ground, frozen, through
from tests.matrix.http import ask

RULES, EXPORT = "/api/v2/rules", "/api/v2/config-audit/export"
KILLS = 3
ABORTED = 1000
BUSY = 503
"""Of a machine that is busy with other tests: asked again."""
SPARE_FILES = 40
"""Connections of its pools, and those that are not cleared away yet."""


def key_of(database: Database) -> str:
    key = database.secrets.get(API_KEY)
    assert key is not None
    return key.reveal()


@pytest.mark.proves("api.kill")
async def test_killed_while_it_writes_the_same_requests_again_make_each_rule_once(database: Database) -> None:
    """Each write carries an Idempotency-Key; those that got no answer are asked again after several deaths."""
    settings = replace(database.settings, api_port=free_port())
    key, made = key_of(database), 0
    unanswered = []
    for _ in range(KILLS):
        with process(settings) as (port, child):
            writing = asyncio.create_task(_write_until_it_fails(port, key, first=made))
            await until(partial(_rules_beyond, database, made + 3), "rules are written")
            child.kill()
            unanswered.append(await writing)
        made = unanswered[-1] + 1
    await database.pool.execute("UPDATE idempotency_keys SET lease_until = now()")  # a minute passes
    with process(settings) as (port, _):
        for number in unanswered:
            status, body, _ = await _write(port, key, number)
            assert status == 201 or body["type"] == "/problems/conflict", body
    rows = await database.pool.fetch("SELECT description FROM alert_rules")
    assert Counter(row["description"] for row in rows) == Counter(map(str, range(made)))
    audited = await database.pool.fetch(
        "SELECT new_values::json->>'description' AS name FROM config_audit WHERE table_name = 'alert_rules'"
    )
    assert Counter(row["name"] for row in audited) == Counter(map(str, range(made)))


async def _write(port: int, key: str, number: int) -> tuple[int, Any, dict[str, str]]:
    body = RULE | {"description": str(number)}
    return await asyncio.to_thread(ask, port, "POST", RULES, key, body, {"Idempotency-Key": f"rule-{number}"})


async def _write_until_it_fails(port: int, key: str, first: int) -> int:
    """The number of the request that got no answer."""
    number = first
    try:
        while True:
            status, body, _ = await _write(port, key, number)
            assert status in (201, BUSY), body
            number += status == 201
    except (OSError, http.client.HTTPException):
        return number


async def _rules_beyond(database: Database, count: int) -> bool:
    return bool(await database.pool.fetchval("SELECT count(*) FROM alert_rules") > count)


@pytest.mark.proves("api.freeze")
async def test_frozen_its_probe_fails_and_another_serves(database: Database) -> None:
    settings = [replace(database.settings, api_port=free_port()) for _ in range(2)]
    headers = {"X-API-KEY": key_of(database)}
    with process(settings[0]) as (port, child), process(settings[1]) as (other, _):
        with frozen(child.pid):
            with pytest.raises(TimeoutError):
                await asyncio.to_thread(_probe, port)
            assert (await asyncio.to_thread(get, other, "/api/v1/audit-logs", headers))[0] == 200
        assert (await asyncio.to_thread(get, port, "/api/v1/audit-logs", headers))[0] == 200


def _probe(port: int) -> None:
    """What a load balancer asks, with its patience."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1.0)
    try:
        connection.request("GET", "/health")
        connection.getresponse()
    finally:
        connection.close()


@pytest.mark.proves("api.reset")
async def test_clients_that_hang_up_leave_nothing_behind(database: Database) -> None:
    """Some in the middle of their request, some while it is answered; each with an RST."""
    key = key_of(database)
    with process(replace(database.settings, api_port=free_port())) as (port, child):
        assert (await asyncio.to_thread(get, port, "/api/v1/audit-logs", {"X-API-KEY": key}))[0] == 200
        before = _files(child.pid)
        await asyncio.to_thread(_hang_up, port, key, ABORTED)

        async def closed() -> bool:
            return _files(child.pid) <= before + SPARE_FILES

        async def serves() -> bool:
            return (await asyncio.to_thread(get, port, "/api/v1/audit-logs", {"X-API-KEY": key}))[0] == 200

        await until(closed, "what was opened is closed")
        await until(serves, "others are served")
    assert (
        await database.pool.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'"
        )
        == 0
    )


def _files(pid: int) -> int:
    return len(os.listdir(Path(f"/proc/{pid}/fd")))


def _hang_up(port: int, key: str, times: int) -> None:
    head = f"GET /api/v1/audit-logs HTTP/1.1\r\nHost: localhost\r\nX-API-KEY: {key}\r\n\r\n".encode()
    for number in range(times):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.sendall(head if number % 2 else head[: number % len(head)])


@pytest.mark.proves("api.cut")
async def test_an_export_whose_database_goes_away_has_no_proper_end(ground: Ground) -> None:
    database, link = ground.system.database, ground.links["postgres"]
    url = through(link, database.settings.database_url)
    await database.pool.execute(
        "INSERT INTO config_audit (changed_by, operation, table_name, object, old_values, new_values)"
        " SELECT 'test', 'CREATE', 'dynamic_config', n::text, NULL, jsonb_build_object('value', repeat('x', 2000))"
        " FROM generate_series(1, 20000) AS n"
    )
    head = f"GET {EXPORT} HTTP/1.1\r\nHost: localhost\r\nX-API-KEY: {key_of(database)}\r\n\r\n"
    with (
        process(replace(database.settings, api_port=free_port(), database_url=url)) as (port, _),
        socket.create_connection(("127.0.0.1", port), timeout=20) as client,
    ):
        client.sendall(head.encode())
        answer = http.client.HTTPResponse(client)
        await asyncio.to_thread(answer.begin)
        assert answer.status == 200
        await asyncio.to_thread(answer.read, 10_000)
        assert link.down() > 0
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            await asyncio.to_thread(answer.read)
