"""I9: the secrets of a running system stand in no topic, table, log, metric, answer, error or process argument."""

from __future__ import annotations

import asyncio
import base64
import re
import secrets as randomness
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
from ops.vault.bootstrap import write_private
from schemas.scopes import Scope
from schemas.secret_names import DB_PASSWORD, DatabaseRole, Service
from schemas.secrets import Secret
from schemas.topics import TOPICS
from streams.adapters.api_keys import KeyStore
from streams.adapters.transactions import Transactions
from streams.core.api_keys import WantedKey
from streams.core.authors import Author
from tests.builders import event_json
from tests.chaos.checker.canaries import forms
from tests.integration.conftest import System
from tests.integration.pipeline import add_rule, until
from tests.integration.topics import produce, read_all
from tests.integration.vault import Vault
from tests.programs import bare_environment, run_text

STORED = "a stored API key"
LEAST = 40
"""Canaries."""

Places = dict[str, bytes]
"""What was looked at: the place, and all it holds."""

Planted = dict[str, str]
"""Every secret of the system, by what it is."""


@pytest_asyncio.fixture
async def planted(system: System, vault: Vault) -> Planted:
    """The store full of secrets of which no two are the same; those in use open, the others are there to leak."""
    files = {path.name: path.read_text().strip() for path in system.stack.layout.secrets.iterdir()}
    canaries: Planted = {}

    def canary(name: str, value: str | None = None) -> str:
        return canaries.setdefault(name, value or randomness.token_urlsafe(24))

    for role in DatabaseRole:
        current = {"DB_USER_CURRENT": "mutt", "DB_PASS_CURRENT": canary("the database password", files[DB_PASSWORD])}
        coming = {"DB_USER_NEXT": f"mutt_{role}_b", "DB_PASS_NEXT": canary(f"next of {role}"), "DB_NEXT_IS": "coming"}
        vault.put(f"database/{role}", **current, **coming)
    signing = {name: signing_secret() for name in ("WEBHOOK_SIGNING_SECRET", "WEBHOOK_SIGNING_SECRET_NEXT")}
    signing["WEBHOOK_SIGNING_SECRET"] = files["WEBHOOK_SIGNING_SECRET"]
    vault.put("webhook", MOOG_API_KEY=canary("the webhook's token"), **signing)
    for name, value in signing.items():
        canary(name, value.removeprefix("whsec_"))
    names = ("API_KEY", "API_KEY_NEXT", "API_PEPPER", "API_PEPPER_PREVIOUS")
    vault.put("api", **{name: canary(name) * 2 for name in names})
    for service in Service:
        vault.put(f"kafka/{service}", KAFKA_USER=service, KAFKA_PASSWORD=canary(f"{service} at Kafka"))
        canary(f"secret id of {service}", (vault.server.identity(service) / "secret-id").read_text())
    for name, value in vault.server.keys.items():
        canary(name, value)
    for name in MISPLACED:
        canary(name)
    pepper = Secret(canaries["API_PEPPER"] * 2)
    made = await KeyStore(Transactions(system.database.pool), lambda: (pepper,)).create(
        WantedKey("grafana", frozenset({Scope.EVENTS_READ})), Author("cli:ann")
    )
    canary(STORED, made.text.reveal().rpartition("_")[2])
    canary(OPENS, made.text.reveal())
    return canaries


OPENS = "the whole key"
MISPLACED = (
    "password in the database's address", "password in the store's address", "password in the receiver's address",
    "a misspelt variable", "bearer token of a stranger", "key in an address", "wrong password of the database",
    "broken secret", "key of a stranger",
)  # fmt: skip
"""Secrets that somebody puts where none belongs: what is said of them must not repeat them."""


def signing_secret() -> str:
    return "whsec_" + base64.b64encode(randomness.token_bytes(32)).decode()


@pytest.fixture
def started_as_by_a_person(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """A forked program shows the arguments and the environment of the process that it came from."""
    monkeypatch.setattr(system.stack, "forks", False)
    if sink := system.stack.children.pop("sink", None):
        sink.stop()


@pytest.mark.usefixtures("started_as_by_a_person")
@pytest.mark.checks("SECRET_3", "SECRET_4")
async def test_I9_secrets_appear_nowhere(system: System, vault: Vault, planted: Planted) -> None:
    """In no encoding: plain, base64 at each alignment, hexadecimal, URL-encoded."""
    assert len(planted) >= LEAST
    assert len(set(planted.values())) == len(planted)
    ports = {name: free_port() for name in ("match", "forward", "dead_letters", "api")}
    await traffic(system, vault, ports)
    await half_a_secret(vault, system, planted["broken secret"])
    places = await asyncio.to_thread(answers, ports, planted)
    places |= await asyncio.to_thread(errors, system, vault, planted)
    assert set(core_dumps(system).values()) == {"0"}
    places |= dict(files(system.stack.layout.logs)) | await tables(system) | processes(system) | topics(system)
    assert len(places) > 40
    assert [place for place, held in places.items() if not held and place.startswith(("http", "mutt", "pid"))] == []
    searched = {form: needle for name, value in planted.items() for form, needle in spelled(name, value)}
    assert len(searched) > 6 * LEAST
    assert [
        (form, place) for place, held in places.items() for form, needle in searched.items() if needle in held
    ] == []


def spelled(name: str, value: str) -> Iterator[tuple[str, bytes]]:
    for form, needle in forms(value):
        yield f"{name}, {form}", needle


async def half_a_secret(vault: Vault, system: System, canary: str) -> None:
    """Somebody stores a signing secret that is none; the forwarder says so, and not what it is."""
    vault.put("webhook", **vault.held("webhook") | {"WEBHOOK_SIGNING_SECRET": f"no base64! {canary}"})

    async def told() -> bool:
        return "cannot sign" in system.stack.children["forward-1"].log.read_text()

    await until(told, "the alarm")


async def traffic(system: System, vault: Vault, ports: dict[str, int]) -> None:
    """A rejected record, and two alerts: the receiver answers 401 to both, then takes one and refuses one."""
    stack = system.stack
    stack.start_sink()
    stack.control_sink(status=401)
    await add_rule(system.database.pool, "link down")
    for name in ("match", "forward", "dead_letters"):
        role = name.replace("_", "-")
        system.start(f"{role}-1", **{f"{name}_port": ports[name]}, **found_by(vault, Service(role)))
    address = system.settings.database_url
    api = stack.spawn(
        "api",
        [*stack.mutt()[:1], "-m", "api"],
        database_url=address,
        api_port=ports["api"],
        **found_by(vault, Service.API),
    )
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


def found_by(vault: Vault, service: Service) -> dict[str, Any]:
    """The settings with which a service finds its secrets."""
    return vault.server.settings(service) | {"vault_refresh": 0.2}


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


def core_dumps(system: System) -> dict[str, str]:
    """How many bytes of one each program of mutt may write, at most."""
    found = {}
    for name in ("match-1", "forward-1", "dead-letters-1", "api"):
        limits = Path(f"/proc/{system.stack.processes()[name].pid}/limits").read_text()
        found[name] = re.search(r"^Max core file size +\S+ +(\S+)", limits, re.MULTILINE)[1]  # type: ignore[index]
    return found


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


def answers(ports: dict[str, int], planted: Planted) -> Places:
    """With keys that open nothing, and what the API says to one that does and to one that is spoilt."""
    paths = dict.fromkeys(ports, ("/metrics", "/health", "/ready"))
    paths["api"] += ("/api/v1/audit-logs", "/api/v1/slo")
    stranger = {"X-API-KEY": planted["key of a stranger"]}
    said = {f"http {name}{path}": answer(ports[name], path, **stranger) for name in ports for path in paths[name]}
    key = planted[OPENS]
    for name, text in {"right": key, "spoilt": key + "x", "next": planted["API_KEY_NEXT"] * 2}.items():
        said[f"http api {name}"] = answer(ports["api"], "/api/v1/slo", **{"X-API-KEY": text})
    bearer = {"Authorization": f"Bearer {planted['bearer token of a stranger']}"}
    said["http api bearer"] = answer(ports["api"], "/api/v2/events", **bearer)
    said["http api address"] = answer(ports["api"], f"/api/v1/slo?api_key={planted['key in an address']}")
    assert b"components" in said["http api right"]
    assert b"components" in said["http api next"]
    return said


def errors(system: System, vault: Vault, planted: Planted) -> Places:
    """What commands say of secrets that are wrong, in the wrong place, or not to be had."""
    folder = Path(system.settings.home) / "other secrets"
    folder.mkdir(exist_ok=True)
    write_private(folder / DB_PASSWORD, planted["wrong password of the database"])
    address = system.settings.database_url
    inside = {
        name: f"//user:{planted[f'password in the {name} address']}@"
        for name in ("database's", "store's", "receiver's")
    }
    mine = system.settings.to_env()
    found = replace(system.settings, **found_by(vault, Service.OPERATOR)).to_env()
    cases = {
        "wrong password": mine | {"MUTT_SECRETS_DIR": str(folder)},
        "nobody listens": mine | {"MUTT_DATABASE_URL": f"postgresql://mutt@127.0.0.1:{free_port()}/mutt"},
        "database's address": mine | {"MUTT_DATABASE_URL": address.replace("//mutt@", inside["database's"])},
        "store's address": found | {"VAULT_ADDR": vault.server.address.replace("//", inside["store's"])},
        "no such store": found | {"VAULT_ADDR": f"http://127.0.0.1:{free_port()}"},
        "misspelt": mine | {"MUTT_WEBHOOK_TOKEN": planted["a misspelt variable"]},
    }
    said = {f"mutt {name}": command(values, "ledger", "verify") for name, values in cases.items()}
    refused = mine | {"MUTT_WEBHOOK_URL": "http:" + inside["receiver's"] + "127.0.0.1/"}
    said["mutt receiver's address"] = command(refused, "worker", "forward")
    said["mutt status"] = command(found, "secrets", "status", "--json", code=(0,))
    return said


def command(environment: dict[str, str], *arguments: str, code: tuple[int, ...] = (69, 78)) -> bytes:
    done = run_text("mutt", *arguments, environment=bare_environment(**environment))
    assert done.returncode in code, (arguments, done.stderr)
    return (done.stdout + done.stderr).encode()
