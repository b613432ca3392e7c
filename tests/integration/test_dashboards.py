"""Every panel of every dashboard, asked of a real Prometheus and a real PostgreSQL while all of mutt is at work."""

from __future__ import annotations

import asyncio
import http.client
import http.server
import json
import math
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from msgspec.structs import replace

from ops.devstack.layout import free_port
from ops.grafana.load import DASHBOARDS
from schemas.secret_names import API_KEY
from tests.builders import event_json
from tests.integration.api_process import process
from tests.integration.conftest import System
from tests.integration.forwarding import listening
from tests.integration.pipeline import add_rule, configure, until
from tests.integration.prometheus_server import PROGRAM, prometheus
from tests.integration.topics import produce
from tests.ops.grafana.reading import Asked, filled_in, questions
from tests.programs import run_text
from tests.schemas.test_snmptrapd import LINK_DOWN, record

ROLE = "mutt_grafana"
RESTLESS = {
    "alerter_queue_warn_threshold": "2", "alerter_queue_shed_threshold": "5", "alerter_shed_mode": "dlq",
    "unhandled_threshold": "5", "moog_retry_base_delay": "0.05", "moog_retry_max_delay": "1",
    "circuit_breaker_threshold": "2", "circuit_breaker_timeout": "1", "remediation_interval": "1",
    "remediation_backoff_base": "1",
}  # fmt: skip
"""So that a few events a second make everything move."""
STORM = """SELECT EXISTS (SELECT FROM alerts WHERE state = 'pending')
               OR EXISTS (SELECT FROM dead_letters WHERE reason = 'shed' AND state IN ('open', 'replaying'))"""
HALTED = """INSERT INTO partition_progress (topic, partition, next_offset, halted_at, halted_reason)
            VALUES ('mutt.ingest.raw', 0, 0, now(), 'the log was replaced')"""
KEPT = """INSERT INTO retention_archives (id, name, kind, schema_version)
          VALUES (gen_random_uuid(), 'sli_1', 'sli', 12);
          INSERT INTO legal_holds (reason, set_by) VALUES ('case 4711', 'ann')"""
ALERTS = 20
SECRETS = ("raw FROM audit", "value FROM dead_letters", "payload FROM alerts", "new_values FROM config_audit",
           "reason FROM legal_holds", "1 FROM api_key_hashes")  # fmt: skip
_BY = re.compile(r"\bby \(([^)]*)\)")


@pytest.mark.skipif(PROGRAM is None, reason="prometheus is not installed (package prometheus)")
async def test_every_panel_shows_something_while_mutt_is_at_work(system: System, tmp_path: Path) -> None:
    began = time.time()
    async with at_work(system) as (world, ports), grafanas_role(system) as database:
        with node_exporter(await textfile(system, tmp_path)) as node, prometheus(tmp_path, ports | node) as url:
            empty = questions()

            async def all_show_something() -> bool:
                await world.go_round()
                empty[:] = [one for one in empty if not await answered(one, url, began, database)]
                return not empty

            try:
                await until(all_show_something, "every panel shows something", within=120)
            except AssertionError:
                raise AssertionError("\n".join(map(str, empty))) from None


async def test_grafanas_role_reads_what_the_panels_show_and_no_more(system: System) -> None:
    async with grafanas_role(system) as database:
        for one in questions():
            if one.sql:
                await database.fetch(filled_in(one))
        for secret in SECRETS:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await database.fetch(f"SELECT {secret}")


# -- what is asked ----------------------------------------------------------------------------------------------------


async def answered(asked: Asked, url: str, began: float, database: asyncpg.Connection) -> bool:
    """Whether it has something to show. Fails where the question itself is refused."""
    if asked.sql:
        return bool(await database.fetch(filled_in(asked)))
    series = await asyncio.to_thread(range_of, url, filled_in(asked), began)
    seen = [one["metric"] for one in series if any(math.isfinite(float(value)) for _, value in one["values"])]
    labels = {label.strip() for group in _BY.findall(asked.text) for label in group.split(",")} - {"le"}
    return bool(seen) and all(any(metric.get(label) for metric in seen) for label in labels)


def range_of(url: str, query: str, began: float) -> list[dict[str, Any]]:
    asked = urllib.parse.urlencode({"query": query, "start": began, "end": time.time(), "step": 1})
    try:
        with urllib.request.urlopen(f"{url}/api/v1/query_range?{asked}", timeout=30) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
            return found
    except urllib.error.HTTPError as refused:
        raise AssertionError(f"{query}: {refused.read().decode()}") from None


@asynccontextmanager
async def grafanas_role(system: System) -> AsyncIterator[asyncpg.Connection]:
    """A connection with the rights of ops/grafana/readonly.sql alone."""
    connection = await asyncpg.connect(system.database.dsn)
    try:
        await connection.execute((DASHBOARDS.parent / "readonly.sql").read_text())
        await connection.execute(f"SET ROLE {ROLE}")
        yield connection
    finally:
        await connection.close()


# -- what is at work --------------------------------------------------------------------------------------------------


@asynccontextmanager
async def at_work(system: System) -> AsyncIterator[tuple[World, dict[str, int]]]:
    """Every process of mutt, and their ports by the job that ops/prometheus names them by."""
    for key, value in RESTLESS.items():
        await configure(system.database.pool, key, value)
    await add_rule(system.database.pool, "link")
    await system.database.pool.execute(HALTED)
    ports = {f"mutt-{name}": free_port() for name in ("match", "forward", "dead-letters", "api", "snmp-bridge")}
    async with listening() as receiver:
        receiver.status = moody
        system.start("match-1", match_port=ports["mutt-match"])
        system.start("forward-1", forward_port=ports["mutt-forward"], webhook_url=receiver.url)
        system.start("dead-letters-1", dead_letters_port=ports["mutt-dead-letters"], webhook_url=receiver.url)
        served = replace(system.settings, api_port=ports["mutt-api"])
        with process(served), bridge(system, ports["mutt-snmp-bridge"]) as traps:
            yield World(system, ports["mutt-api"], traps), ports


def moody(number: int) -> int:
    """A quarter of the posts find it down, and some of the others it refuses for good."""
    return 503 if number % 16 < 4 else 422 if number % 5 == 0 else 200


async def textfile(system: System, folder: Path) -> Path:
    """What a run of retention leaves for a node exporter."""
    archives, metrics = folder / "archives", folder / "textfiles" / "metrics"
    archives.mkdir(mode=0o700)
    metrics.parent.mkdir()
    environment = system.environment() | {"MUTT_ARCHIVE_DIR": str(archives)}
    arguments = ("retention", "run", "--textfile", str(metrics))
    done = await asyncio.to_thread(run_text, "mutt", *arguments, environment=environment)
    assert metrics.exists(), done.stdout + done.stderr
    await system.database.pool.execute(KEPT)
    return metrics


@contextmanager
def node_exporter(textfile: Path) -> Iterator[dict[str, int]]:
    """Stands for a node exporter that collects this file; its port, by the job that asks it."""
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(textfile.parent))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield {"mutt-retention": server.server_address[1]}
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def bridge(system: System, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """`mutt snmp-bridge`, reading what is written to it as from snmptrapd."""
    environment = system.environment() | {"MUTT_SNMP_BRIDGE_PORT": str(port)}
    child = subprocess.Popen(
        [sys.executable, "-m", "ops.cli.mutt", "snmp-bridge"], stdin=subprocess.PIPE, env=environment
    )
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


class World:
    """What happens around mutt, a round at a time."""

    def __init__(self, system: System, api_port: int, traps: subprocess.Popen[bytes]) -> None:
        self._pool = system.database.pool
        self._bootstrap = system.stack.kafka.bootstrap
        key = system.database.secrets.get(API_KEY)
        assert key is not None
        self._key = key.reveal()
        self._port = api_port
        self._traps = traps

    async def go_round(self) -> None:
        """A storm of alerts once the last one is over: while it lasts, remediation waits."""
        calm = not await self._pool.fetchval(STORM)
        await asyncio.to_thread(self._send, ALERTS if calm else 0)
        await asyncio.to_thread(self._ask_the_api)

    def _send(self, alerts: int) -> None:
        """Events that alert, that match nothing and that are none; a trap that can be read and one that cannot."""
        values = [event_json(message="link down", hostname=f"h{number}", syslog_severity=6) for number in range(alerts)]
        values += [event_json(message="nobody knows this")] * 6 + [b"no json"] * 2
        produce(self._bootstrap, "mutt.ingest.syslog", [(b"h", value) for value in values])
        assert self._traps.stdin is not None
        self._traps.stdin.write(record(LINK_DOWN) + record(b"no variable"))
        self._traps.stdin.flush()

    def _ask_the_api(self) -> None:
        """What is answered, what is refused, and one event sent twice."""
        good, name = {"X-API-KEY": self._key}, {"Idempotency-Key": str(uuid.uuid4())}
        self._ask("GET", "/api/v1/audit-logs", good)
        self._ask("GET", "/api/v1/audit-logs", {"X-API-KEY": "wrong"})
        for headers in (good, good | name, good | name):
            self._ask("POST", "/api/v2/events", headers, event_json(message="nobody knows this"))
        self._ask("POST", "/api/v2/events", good, b"{}")
        self._ask("POST", "/ui/csp-report", {}, b'{"csp-report": {"violated-directive": "script-src"}}')

    def _ask(self, method: str, path: str, headers: dict[str, str], body: bytes | None = None) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            connection.request(method, path, body, headers | {"Content-Type": "application/json"})
            assert connection.getresponse().status < 500
        finally:
            connection.close()
