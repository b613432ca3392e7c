"""The whole of mutt on one laptop: servers, workers and API as child processes below one folder."""

from __future__ import annotations

import base64
import json
import os
import secrets
import signal
import ssl
import sys
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import Any

import asyncpg
from msgspec.structs import replace

from ops import settings_file
from ops.devstack.authority import Certified
from ops.devstack.kafka import Kafka
from ops.devstack.layout import Layout, free_port
from ops.devstack.openbao import OpenBao
from ops.devstack.postgres import DATABASE, USER, Postgres
from ops.devstack.processes import Child, spawn, started_at, wait_until
from schemas.secret_names import (
    API_KEY,
    API_PEPPER,
    DB_PASSWORD,
    DB_USER,
    WEBHOOK_SIGNING,
    WEBHOOK_TOKEN,
    Service,
)
from schemas.secrets import Secret
from schemas.settings import Settings, is_setting, variable_of
from streams.adapters.broker_access import Brokers
from streams.adapters.database import connect_as
from streams.adapters.secrets import read_all

WORKERS = ("match-1", "match-2", "forward-1", "dead-letters-1")


class Stack:
    """Starts and stops the parts. Everything it starts is its child, on loopback, with its data below `home`."""

    def __init__(self, home: Path, *, fsync: bool = True, openbao: bool | None = None) -> None:
        """`openbao`: secrets come from there and not from files; None: as this home's stack was started last."""
        self.layout = Layout(home.resolve())
        self.layout.create()
        known = self.layout.load().get("ports", {})
        self.kafka = Kafka(self.layout, known.get("kafka"))
        self.postgres = Postgres(self.layout, self.layout.secret(DB_PASSWORD), port=known.get("postgres"), fsync=fsync)
        has_openbao = "openbao" in known if openbao is None else openbao
        self.openbao = OpenBao(self.layout, known.get("openbao")) if has_openbao else None
        self.sink_port = known.get("sink") or free_port()
        self.api_port = known.get("api") or free_port()
        self.children: dict[str, Child] = {}
        self.layout.secret(WEBHOOK_TOKEN)
        self.layout.secret(API_KEY)
        self.layout.secret(API_PEPPER)
        self.layout.secret(WEBHOOK_SIGNING, "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode())

    # -- servers ----------------------------------------------------------------------------------------------

    def start_servers(self) -> None:
        """PostgreSQL, Kafka, OpenBao and the webhook receiver; waits until they answer. Raises StackFailed.

        Each has the port it had before, unless another program has taken that one meanwhile, which is looked at when
        the port is about to be used.
        """
        self.remember()
        for start in (self.start_postgres, self.start_kafka, self.start_openbao, self.start_sink):
            start()
            self.remember()

    def start_postgres(self) -> None:
        self.postgres.port = free_port(self.postgres.port)
        self.postgres.start()

    def start_kafka(self) -> None:
        self.kafka.port = free_port(self.kafka.port)
        self.kafka.start()

    def start_openbao(self) -> None:
        """With the secrets of the files, where it has none of its own."""
        if self.openbao is not None:
            self.openbao.port = free_port(self.openbao.port)
            self.openbao.start()
            self.openbao.provide({DB_USER: USER} | read_all(self.layout.secrets))

    def start_sink(self) -> None:
        """The webhook receiver, unless it runs already."""
        if "sink" in self.children and self.children["sink"].running:
            return
        self.sink_port = free_port(self.sink_port)
        child = self._spawn_sink()
        wait_until(lambda: self.sink_answers(), what="the webhook receiver", child=child)

    def _spawn_sink(self) -> Child:
        signing = self.layout.secrets / WEBHOOK_SIGNING
        argv: list[str | os.PathLike[str]] = [
            sys.executable,
            "-m",
            "ops.devstack.sink",
            str(self.sink_port),
            self.sink_log,
            signing,
        ]
        return self.spawn("sink", [*argv, *self._sink_shows()])

    def _sink_shows(self) -> Sequence[Path]:
        """Its certificate and key; none: it speaks no TLS."""
        return ()

    def sink_answers(self) -> bool:
        try:
            self.sink_stats()
        except OSError:
            return False
        return True

    def control_sink(self, **control: Any) -> None:
        """How the receiver answers from now on: status=503, reject_host='h' (422), delay_ms=…; nothing resets it."""
        self._ask(self.url(self.sink_port, "/control"), json.dumps(control).encode())

    def sink_stats(self) -> dict[str, Any]:
        """What the receiver has answered so far."""
        stats: dict[str, Any] = self._ask(self.url(self.sink_port, "/stats"))
        return stats

    def sink_pages(self) -> list[dict[str, Any]]:
        """What Alertmanager has posted so far, where one does. Raises OSError."""
        pages: list[dict[str, Any]] = self._ask(self.url(self.sink_port, "/pages"))
        return pages

    def url(self, port: int, path: str) -> str:
        """Of the receiver, the API or a worker."""
        return f"http{'s' if self.trusts else ''}://127.0.0.1:{port}{path}"

    @property
    def trusts(self) -> ssl.SSLContext | None:
        """Whom to believe that it is the receiver, the API or a worker; None: they speak no TLS."""
        return None

    @property
    def certified(self) -> Certified | None:
        """With what Prometheus goes to them, and is met itself; None: all of it in the open."""
        return None

    def _ask(self, url: str, put: bytes | None = None) -> Any:
        request = urllib.request.Request(url, put, method="GET" if put is None else "PUT")  # noqa: S310 - on loopback
        with urllib.request.urlopen(request, timeout=5, context=self.trusts) as answer:  # noqa: S310 - as above
            return json.loads(answer.read())

    @property
    def sink_log(self) -> Path:
        """One JSON line for every post the receiver got."""
        return self.layout.logs / "received.jsonl"

    # -- mutt itself ------------------------------------------------------------------------------------------

    @property
    def settings(self) -> Settings:
        """Settings for everything that talks to this stack: what its file says, and around that what the stack is.

        Worker ports are free ones of their own choosing.
        """
        chosen: dict[str, Any] = {
            "webhook_url": self.url(self.sink_port, "/alerts"),
            "match_port": 0,
            "forward_port": 0,
            "dead_letters_port": 0,
            "session_timeout": 6.0,
        }
        itself: dict[str, Any] = {
            "home": str(self.layout.home),
            "kafka_bootstrap": self.kafka.bootstrap,
            "database_url": self.postgres.url,
            "secrets_dir": str(self.layout.secrets),
            "api_port": self.api_port,
        }
        return Settings(**chosen | self._written() | itself | self.protection() | self.identity(Service.OPERATOR))

    def protection(self) -> dict[str, Any]:
        """The settings of TLS and logins that all share; none here."""
        return {}

    @property
    def brokers(self) -> Brokers:
        """How whoever sends events here, or looks how long the logs are, reaches Kafka."""
        return self.kafka.bootstrap

    async def connect(self, database: str = DATABASE) -> asyncpg.Connection:
        """A plain connection of the server's administrator, apart from mutt's."""
        settings = self.settings
        url = f"{settings.database_url.rpartition('/')[0]}/{database}"
        password = Secret((self.layout.secrets / DB_PASSWORD).read_text())
        return await connect_as(replace(settings, database_url=url), USER, password)

    def _written(self) -> dict[str, Any]:
        """The fields that the settings file sets. Raises SettingsRefused."""
        values = settings_file.read(self.layout.home / settings_file.NAME)
        read = Settings.from_env(values)
        return {name: getattr(read, name) for name in read.__struct_fields__ if values.get(variable_of(name))}

    def identity(self, service: Service) -> dict[str, Any]:
        """The settings that are a service's own: with which it finds its secrets; none where they are files."""
        return self.openbao.settings(service) if self.openbao is not None and self.openbao.provided else {}

    def environment(self, **changes: Any) -> dict[str, str]:
        """The environment of a child: what finds programs, and the settings."""
        kept = {name: value for name, value in os.environ.items() if not is_setting(name)}
        path = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", "")])
        return kept | {"PATH": path} | replace(self.settings, **changes).to_env()

    def spawn(self, name: str, argv: Sequence[str | os.PathLike[str]], **settings: Any) -> Child:
        """Starts a child of this stack by name; its log is logs/NAME.log."""
        log = self.layout.logs / f"{name}.log"
        child = spawn(name, argv, log=log, environment=self.environment(**settings))
        self.children[name] = child
        return child

    def mutt(self, *arguments: str) -> list[str]:
        """The command line of a `mutt` command in this environment."""
        return [sys.executable, "-m", "ops.cli.mutt", *arguments]

    def start_worker(self, name: str, **settings: Any) -> Child:
        """`match-1`, `forward-1`, `dead-letters-1` …: the role is the name without its number."""
        role = name.rpartition("-")[0]
        return self.spawn(name, self.mutt("worker", role), **self.identity(Service(role)) | settings)

    def start_api(self) -> Child:
        self.api_port = free_port(self.api_port)
        child = self._spawn_api()
        wait_until(self._api_answers, what="the API", child=child)
        return child

    def _spawn_api(self) -> Child:
        return self.spawn("api", [sys.executable, "-m", "api"], **self.identity(Service.API))

    def start_again(self, name: str) -> None:
        """Starts a child that ended once more, without waiting until it answers."""
        again = {"sink": self._spawn_sink, "api": self._spawn_api, "openbao": self.start_openbao}
        again.get(name, lambda: self.start_worker(name))()

    def _api_answers(self) -> bool:
        try:
            self._ask(self.url(self.api_port, "/health"))
            return True
        except OSError:
            return False

    # -- ends -------------------------------------------------------------------------------------------------

    def stop_all(self) -> None:
        """Workers first, servers last."""
        running = [child for child in self.children.values() if child.running]
        for child in running:
            child.signal(signal.SIGTERM)
        for child in running:
            child.stop(grace_s=25.0)
        if self.openbao is not None:
            self.openbao.stop()
        self.kafka.stop()
        self.postgres.stop()

    def processes(self) -> dict[str, Child]:
        """Every child by name, servers included."""
        started = [self.kafka.child, self.postgres.child, self.openbao.child if self.openbao else None]
        servers = {child.name: child for child in started if child is not None}
        return servers | self.children

    def write_environment(self) -> Path:
        """The settings as a file to source in a shell, so that `mutt` commands reach the stack. It holds no secret."""
        path = self.layout.home / "env"
        path.write_text("".join(f"{name}={quote(value)}\n" for name, value in self.settings.to_env().items()))
        return path

    def remember(self) -> None:
        """Writes ports, and pid and start time of every child, to the state file: `down` ends those and no others."""
        found = {name: (child.pid, started_at(child.pid)) for name, child in self.processes().items() if child.running}
        ports = {
            "kafka": self.kafka.port, "postgres": self.postgres.port, "sink": self.sink_port, "api": self.api_port,
        }  # fmt: skip
        if self.openbao is not None:
            ports["openbao"] = self.openbao.port
        self.layout.save(self.layout.load() | {"ports": ports, "processes": found})
