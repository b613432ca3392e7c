"""Keys from the command to the running API, and back into the tables; PostgreSQL away is no 401."""

from __future__ import annotations

import asyncio
import http.client
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from msgspec.structs import replace

from ops.devstack.layout import free_port
from streams.core.api_keys import new_key
from tests.integration.api_process import process
from tests.integration.conftest import Database
from tests.integration.pipeline import until
from tests.programs import bare_environment, run_text

KEYS = "/api/v2/keys"
SLO = "/api/v1/slo"
NO_SUCH = new_key(b"n" * 12, b"n" * 32).text


class Desk:
    """The command line and the API of one database."""

    def __init__(self, database: Database, port: int) -> None:
        self.database = database
        self.port = port

    async def mutt(self, *arguments: str, code: int = 0) -> Any:
        """What `mutt keys` prints: as JSON, or its error line."""
        environment = bare_environment(**self.database.settings.to_env())
        done = await asyncio.to_thread(run_text, "mutt", "keys", *arguments, "--json", environment=environment)
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout) if code == 0 else done.stderr

    async def ask(self, method: str, path: str, key: str | None, body: Any = None, **headers: str) -> Any:
        """Status, body and headers."""
        return await asyncio.to_thread(self._ask, method, path, key, body, headers)

    def _ask(self, method: str, path: str, key: str | None, body: Any, headers: dict[str, str]) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        given = {name.replace("_", "-"): value for name, value in headers.items()} | ({"X-API-KEY": key} if key else {})
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, given | ({"Content-Type": "application/json"} if text else {}))
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read()), dict(answer.getheaders())
        finally:
            connection.close()

    async def status(self, key: str | None, path: str = SLO) -> int:
        return int((await self.ask("GET", path, key))[0])


@pytest_asyncio.fixture
async def desk(database: Database) -> AsyncIterator[Desk]:
    port = free_port()
    with process(replace(database.settings, api_port=port)) as (_, __):
        yield Desk(database, port)


@pytest.mark.checks("KEY_3", "KEY_5")
async def test_the_life_of_a_key_from_the_command_to_the_api(desk: Desk) -> None:
    pool = desk.database.pool
    made = await desk.mutt(
        "create", "grafana", "--scope", "events:read", "--expires", "90d", "--reason", "panels", "--actor", "cli:ann"
    )
    assert await desk.status(made["key"]) == 200
    assert (await desk.ask("GET", KEYS, made["key"]))[0] == 403
    listed = (await desk.mutt("list"))["keys"]
    assert [key["id"] for key in listed] == [made["id"]]
    assert "key" not in listed[0]
    rotated = await desk.mutt("rotate", "grafana", "--grace", "1h")
    assert await desk.status(rotated["key"]) == 200
    assert "two live keys" in await desk.mutt("create", "grafana", "--scope", "events:read", code=2)
    assert "no live key" in await desk.mutt("rotate", "nobody", code=1)
    assert "no key" in await desk.mutt("revoke", "nosuchkey000", code=1)
    assert "length of time" in await desk.mutt("create", "x", "--scope", "events:read", "--expires", "soon", code=2)

    assert (await desk.mutt("revoke", made["id"]))["state"] == "revoked"
    begun = time.monotonic()
    while await desk.status(made["key"]) != 401:
        assert time.monotonic() - begun < 5
    assert await desk.status(rotated["key"]) == 200

    audit = "SELECT changed_by, reason FROM config_audit WHERE table_name = 'api_keys' ORDER BY id LIMIT 1"
    assert tuple(await pool.fetchrow(audit)) == ("cli:ann", "panels")
    used = "SELECT count(*) = 2 FROM api_key_hashes WHERE last_used_at > now() - interval '1 hour'"
    await until(lambda: pool.fetchval(used), "both uses are written down", within=30)

    async def failed() -> Any:
        return (await desk.mutt("failures"))["failures"]

    await until(failed, "the failure is written down", within=30)
    first = (await failed())[0]
    assert (first["address"], first["key_id"], first["reason"]) == ("127.0.0.1", made["id"], "revoked")


async def test_fifty_creates_with_one_idempotency_key_make_one(desk: Desk) -> None:
    admin = (await desk.mutt("create", "admin", "--scope", "keys:admin", "--scope", "audit:read"))["key"]
    body = {"client": "grafana", "scopes": ["audit:read"]}

    async def create() -> Any:
        return await desk.ask("POST", KEYS, admin, body, Idempotency_Key="one")

    answers = await asyncio.gather(*(create() for _ in range(50)))
    statuses = {status for status, _, __ in answers}
    assert statuses <= {201, 409}
    made = [(answer["id"], answer["key"]) for status, answer, _ in answers if status == 201]
    assert len({identity for identity, _ in made}) == 1
    assert len([key for _, key in made if key is not None]) == 1
    assert {answer["type"] for status, answer, _ in answers if status == 409} <= {"/problems/in-flight"}
    assert await desk.database.pool.fetchval("SELECT count(*) FROM api_keys WHERE client = 'grafana'") == 1
    status, answer, headers = await create()
    assert (status, answer["key"], headers["idempotency-replayed"]) == (201, None, "true")
    other = await desk.ask("POST", KEYS, admin, body | {"name": "x"}, Idempotency_Key="one")
    assert (other[0], other[1]["type"]) == (422, "/problems/key-reused")


async def test_postgresql_away_is_503_for_a_stored_key_and_no_401(database: Database) -> None:
    nobody, port = free_port(), free_port()
    away = replace(database.settings, api_port=port, database_url=f"postgresql://mutt@127.0.0.1:{nobody}/mutt")
    with process(away) as (_, __):
        desk = Desk(database, port)
        status, _, headers = await desk.ask("GET", SLO, NO_SUCH.reveal())
        assert (status, int(headers["retry-after"]) >= 1) == (503, True)
        assert await desk.status("not-written-as-a-key") == 401
