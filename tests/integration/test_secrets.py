"""I9: the secrets of a running system stand in no topic, table, log, metric, answer, error or process argument."""

from __future__ import annotations

import asyncio
import dataclasses
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from msgspec.structs import replace

from ops.devstack.layout import free_port
from ops.devstack.processes import wait_until
from schemas.scopes import Scope
from schemas.secret_names import API_PEPPER
from schemas.topics import TOPICS
from streams.adapters.api_keys import KeyStore
from streams.adapters.secrets import live
from streams.adapters.transactions import Transactions
from streams.core.api_keys import WantedKey
from streams.core.authors import Author
from tests.builders import event_json
from tests.integration.commands import mutt
from tests.integration.conftest import System
from tests.integration.pipeline import add_rule, until
from tests.integration.topics import produce, read_all

STORED = "a stored API key"

Places = dict[str, bytes]
"""What was looked at: the place, and all it holds."""


@pytest_asyncio.fixture
async def secrets(system: System) -> dict[str, bytes]:
    """Every secret of the stack by name, and that of an API key."""
    found = {path.name: path.read_bytes().strip() for path in system.stack.layout.secrets.iterdir()}
    assert len(found) >= 5
    assert min(map(len, found.values())) > 16
    store = KeyStore(Transactions(system.database.pool), live(system.database.secrets, API_PEPPER))
    made = await store.create(WantedKey("grafana", frozenset({Scope.EVENTS_READ})), Author("cli:ann"))
    return found | {STORED: made.text.reveal().rpartition("_")[2].encode(), "": made.text.reveal().encode()}


@pytest.fixture
def started_as_by_a_person(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """A forked program shows the arguments and the environment of the process that it came from."""
    monkeypatch.setattr(system.stack, "forks", False)
    if sink := system.stack.children.pop("sink", None):
        sink.stop()


@pytest.mark.usefixtures("started_as_by_a_person")
async def test_I9_secrets_appear_nowhere(system: System, secrets: dict[str, bytes]) -> None:
    ports = {name: free_port() for name in ("match", "forward", "dead_letters", "api")}
    await traffic(system, ports)
    places = dict(files(system.stack.layout.logs)) | await tables(system) | processes(system) | topics(system)
    places |= await asyncio.to_thread(answers, ports, secrets.pop("").decode())
    places |= errors(system)
    assert len(places) > 30
    assert [place for place, held in places.items() if not held and place.startswith(("http", "mutt", "pid"))] == []
    seen = [(name, place) for place, held in places.items() for name, value in secrets.items() if value in held]
    assert seen == []


async def traffic(system: System, ports: dict[str, int]) -> None:
    """A rejected record, and two alerts: the receiver answers 401 to both, then takes one and refuses one."""
    stack = system.stack
    stack.start_sink()
    stack.control_sink(status=401)
    await add_rule(system.database.pool, "link down")
    for name in ("match", "forward", "dead_letters"):
        system.start(f"{name.replace('_', '-')}-1", **{f"{name}_port": ports[name]})
    address = system.settings.database_url
    api = stack.spawn("api", [*stack.mutt()[:1], "-m", "api"], database_url=address, api_port=ports["api"])
    wait_until(lambda: bool(answer(ports["api"], "/health")), what="the API", child=api)
    events: list[tuple[bytes | None, bytes | None]] = [
        (host, event_json(hostname=host.decode(), message="link down")) for host in (b"h1", b"refused")
    ]
    produce(stack.kafka.bootstrap, "mutt.ingest.syslog", [*events, (b"h1", b"no json")])
    attempted = "SELECT count(*) FROM alerts WHERE last_status = 401"
    await until(lambda: system.database.pool.fetchval(attempted), "the receiver refused the token")
    stack.control_sink(reject_host="refused")
    done = "SELECT count(*) = 2 FROM alerts WHERE state IN ('delivered', 'dead')"
    await until(lambda: system.database.pool.fetchval(done), "both alerts are settled")
    letters = "SELECT count(*) = 2 FROM dead_letters WHERE published_at IS NOT NULL"
    await until(lambda: system.database.pool.fetchval(letters), "both letters are on the topic")
    stack.control_sink()


def files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield str(path), path.read_bytes()


async def tables(system: System) -> Places:
    """Every row of every table of ours, as text."""
    pool = system.database.pool
    names = await pool.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    found = {}
    for (name,) in names:
        rows = await pool.fetch(f'SELECT row_to_json(t)::text FROM "{name}" t')
        found[f"table {name}"] = "\n".join(row[0] for row in rows).encode()
        if name in ("audit", "alerts", "dead_letters"):
            assert rows, name
    return found


def topics(system: System) -> Places:
    """Every record, headers too. Letters and alerts have been there."""
    records = {topic.name: read_all(system.stack.kafka.bootstrap, topic.name) for topic in TOPICS}
    assert records["mutt.alerts"]
    assert records["mutt.dlq"]
    return {f"topic {name}": b"\n".join(map(_bytes, found)) for name, found in records.items()}


def _bytes(record: Any) -> bytes:
    return repr((record.key(), record.headers())).encode() + (record.value() or b"")


def processes(system: System) -> Places:
    """Arguments and environment of every process of the stack."""
    return {
        f"pid {child.name} {part}": Path(f"/proc/{child.pid}/{part}").read_bytes()
        for child in system.stack.processes().values()
        if child.running
        for part in ("cmdline", "environ")
    }


def answer(port: int, path: str, **headers: str) -> bytes:
    """Head and body, whatever the status; nothing where nobody answers."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return bytes(reply.headers) + reply.read()
    except urllib.error.HTTPError as error:
        with error:
            return bytes(error.headers) + error.read()
    except OSError:
        return b""


def answers(ports: dict[str, int], key: str) -> Places:
    """With a key that opens nothing, and what the API says to one that does and to one that is spoilt."""
    paths = dict.fromkeys(ports, ("/metrics", "/health", "/ready"))
    paths["api"] += ("/api/v1/audit-logs", "/api/v1/slo")
    wrong = {"X-API-KEY": "not-the-key"}
    said = {f"http {name}{path}": answer(ports[name], path, **wrong) for name in ports for path in paths[name]}
    for name, text in {"right": key, "spoilt": key + "x"}.items():
        said[f"http api {name}"] = answer(ports["api"], "/api/v1/slo", **{"X-API-KEY": text})
    assert b"components" in said["http api right"]
    return said


def errors(system: System) -> Places:
    """What a command says when PostgreSQL refuses its password, and when nothing listens."""
    folder = Path(system.settings.home) / "other secrets"
    folder.mkdir(exist_ok=True)
    password = folder / "DB_PASS_CURRENT"
    password.touch(mode=0o600)
    password.write_text("the-wrong-password-of-this-test")
    settings = {
        "mutt wrong password": replace(system.settings, secrets_dir=str(folder)),
        "mutt nobody listens": replace(system.settings, database_url=f"postgresql://mutt@127.0.0.1:{free_port()}/mutt"),
    }
    said = {}
    for name, changed in settings.items():
        done = mutt(replace_settings(system, changed), system.stack, "ledger", "verify")
        assert done.returncode in (69, 78), done.stderr
        assert "wrong-password" not in done.stdout + done.stderr
        said[name] = (done.stdout + done.stderr).encode()
    return said


def replace_settings(system: System, settings: Any) -> Any:
    return dataclasses.replace(system.database, settings=settings)
