"""The same stack with nothing open: TLS on every way, and for each service a login, its rights and its secrets."""

from __future__ import annotations

import asyncio
import os
import secrets as randomness
import ssl
import subprocess
import sys
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from ops.devstack.authority import Authority, Certified, Pair
from ops.devstack.kafka import ADMINISTRATOR, BROKER, Guard
from ops.devstack.layout import free_port, listens
from ops.devstack.postgres import DATABASE, USER
from ops.devstack.processes import StackFailed, wait_until
from ops.devstack.stack import Stack
from ops.vault.bootstrap import write_private
from schemas.errors import BrokerUnavailable
from schemas.secret_names import (
    API,
    DB_PASSWORD,
    DB_USER,
    KAFKA_PASSWORD,
    KAFKA_USER,
    WEBHOOK,
    DatabaseRole,
    SecretGroup,
    Service,
    database_group,
    kafka_group,
)
from schemas.secrets import Secret
from schemas.settings import Settings
from streams.adapters.broker_access import BrokerAccess
from streams.adapters.broker_users import set_passwords
from streams.adapters.secrets import FileSecrets, read_all
from streams.core.broker_rights import Client
from streams.core.login_rotation import other_login

PROMETHEUS = "prometheus"
"""Who may read /metrics."""
SHOWN = (
    BROKER, ADMINISTRATOR, "openbao", "postgres", "receiver", PROMETHEUS,
    Service.MATCH, Service.FORWARD, Service.DEAD_LETTERS, Service.API,
)  # fmt: skip
"""Who has a certificate."""
COMMAND_WITHIN_S = 120.0


class SecuredStack(Stack):
    """Begins in a fresh folder. OpenBao is the authority of all certificates, and holds the secrets of each service."""

    login_again_s = 3600
    """How old a login at Kafka gets."""

    def __init__(self, home: Path, *, fsync: bool = True) -> None:
        super().__init__(home, fsync=fsync, openbao=True)
        assert self.openbao is not None
        self.bao = self.openbao
        self._front_port = 0
        self.pairs: dict[str, Pair] = {}
        self._passwords: dict[DatabaseRole, Secret] = {}
        self._folder = self.layout.home / "certificates"

    # -- servers ----------------------------------------------------------------------------------------------

    def start_openbao(self) -> None:
        """First in the open, to be made the authority; then with a certificate of its own."""
        self.bao.port = free_port(self.bao.port)
        self.bao.start()
        self.authority = Authority(self.bao.owner, self._folder)
        self.pairs = {name: self.authority.issue(name) for name in SHOWN}
        self.bao.stop()
        self.bao.shows, self.bao.authorities = self.pairs["openbao"], self.authorities
        self.bao.start()
        self.bao.provide({})

    def start_servers(self) -> None:
        """OpenBao first, which vouches for the others. Raises StackFailed."""
        self.remember()
        starts = (
            self.start_openbao, self.start_postgres, self._start_front, self.start_kafka, self._make_users,
            self._store_secrets, self.start_sink,
        )  # fmt: skip
        for start in starts:
            start()
            self.remember()

    def _start_front(self) -> None:
        """The embedded PostgreSQL is built without TLS: what stands before it speaks that half."""
        self._front_port = free_port(self._front_port)
        pair, ports = self.pairs["postgres"], (str(self._front_port), str(self.postgres.port))
        argv: list[str | os.PathLike[str]] = [
            sys.executable, "-m", "ops.devstack.tls_front", *ports, pair.certificate, pair.key
        ]  # fmt: skip
        child = self.spawn("postgres-tls", argv)
        wait_until(lambda: listens(self._front_port), what="the front of PostgreSQL", child=child)

    def start_kafka(self) -> None:
        identity = self.pairs[BROKER].both(self._folder / "broker-both.pem")
        self.kafka.guard = Guard(
            0, free_port(), identity, self.among_brokers, login_again_s=self.login_again_s, closed=True
        )
        super().start_kafka()

    # -- logins and secrets -----------------------------------------------------------------------------------

    def _make_users(self) -> None:
        """One user of Kafka for each client, made by the administrator; the secret goes where its client looks."""
        logins = {client: Secret(randomness.token_urlsafe(32)) for client in Client}
        users = {f"mutt-{client}": password for client, password in logins.items()}
        wait_until(lambda: self._took(users), what="Kafka's administrator")
        for client, password in logins.items():
            login = {KAFKA_USER: f"mutt-{client}", KAFKA_PASSWORD: password.reveal()}
            if (service := _service_of(client)) is not None:
                self.bao.put(kafka_group(service), login)
            else:
                folder = self._logins(client)
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                for name, value in login.items():
                    write_private(folder / name, value)

    def _took(self, users: dict[str, Secret]) -> bool:
        try:
            asyncio.run(set_passwords(BrokerAccess(self.administrator, FileSecrets(None)), users))
        except BrokerUnavailable:
            return False
        return True

    def _store_secrets(self) -> None:
        """The login of each role, which is not made yet, and what the files of this stack hold for all."""
        held = read_all(self.layout.secrets)
        for role in DatabaseRole:
            ours = Secret(randomness.token_urlsafe(32))
            login = (USER, Secret(held[DB_PASSWORD])) if role is DatabaseRole.ADMIN else (other_login(role, ""), ours)
            self._passwords[role] = login[1]
            self.bao.put(database_group(role), {DB_USER: login[0], DB_PASSWORD: login[1].reveal()})
        for group in (WEBHOOK, API):
            self.bao.put(group, _of(group, held))

    async def give_rights(self) -> None:
        """Roles of PostgreSQL with a login in each, its schema; the rights at Kafka, its topics. By mutt's commands."""
        passwords = self.layout.home / "logins" / "database"
        passwords.mkdir(mode=0o700, parents=True)
        for role in set(DatabaseRole) - {DatabaseRole.ADMIN}:
            write_private(passwords / role, self._passwords[role].reveal())
        await self.run("roles", "apply", "--logins", os.fspath(passwords), as_=self._service(Service.ROTATE))
        await asyncio.gather(
            self.run("migrate", as_=self._service(Service.MIGRATE)),
            self.run("topics", "acl", "--apply", as_=self.administrator),
        )
        await self.run("topics", "create", as_=self._service(Service.MIGRATE))

    async def run(self, *arguments: str, as_: Settings) -> None:
        """A command of mutt. Raises StackFailed."""
        environment = self.environment(**{name: getattr(as_, name) for name in as_.__struct_fields__})
        done = await asyncio.to_thread(
            subprocess.run,
            self.mutt(*arguments),
            env=environment,
            capture_output=True,
            text=True,
            timeout=COMMAND_WITHIN_S,
            check=False,
        )
        if done.returncode:
            raise StackFailed(f"mutt {' '.join(arguments)} ended with {done.returncode}: {done.stderr[-1500:]}")

    # -- settings ---------------------------------------------------------------------------------------------

    def protection(self) -> dict[str, Any]:
        authorities = os.fspath(self.authorities)
        return {
            "kafka_security": "sasl_ssl",
            "kafka_cacert": authorities,
            "database_url": f"postgresql://127.0.0.1:{self._front_port}/{DATABASE}",
            "database_sslmode": "verify-full",
            "database_cacert": authorities,
            "webhook_cacert": authorities,
            "secrets_dir": None,
        }

    def identity(self, service: Service) -> dict[str, Any]:
        shows: dict[str, Any] = {}
        if pair := self.pairs.get(service):
            shows = {"tls_cert": os.fspath(pair.certificate), "tls_key": os.fspath(pair.key)}
            shows["metrics_client_ca"] = os.fspath(self.authorities)
        return super().identity(service) | shows

    def _service(self, service: Service) -> Settings:
        return replace(self.settings, **self.identity(service))

    @property
    def administrator(self) -> Settings:
        """Of Kafka: shows a certificate instead of a login."""
        assert self.kafka.guard is not None
        pair = self.pairs[ADMINISTRATOR]
        return replace(
            self.settings,
            kafka_bootstrap=f"127.0.0.1:{self.kafka.guard.mutual_port}",
            kafka_security="ssl",
            kafka_cacert=os.fspath(self.among_brokers),
            kafka_cert=os.fspath(pair.certificate),
            kafka_key=os.fspath(pair.key),
        )

    @property
    def brokers(self) -> BrokerAccess:
        """As the client `producer`, which may send events and look how long the logs are."""
        settings = replace(self.settings, vault_addr=None, secrets_dir=os.fspath(self._logins(Client.PRODUCER)))
        return BrokerAccess(settings, FileSecrets(settings.secrets_dir))

    @cached_property
    def _context(self) -> ssl.SSLContext:
        return self.certified.context()

    @property
    def trusts(self) -> ssl.SSLContext:
        return self._context

    @property
    def certified(self) -> Certified:
        return Certified(self.authorities, self.pairs[PROMETHEUS])

    def _sink_shows(self) -> Sequence[Path]:
        pair = self.pairs["receiver"]
        return (pair.certificate, pair.key)

    @property
    def authorities(self) -> Path:
        return self._folder / "authority.pem"

    @property
    def among_brokers(self) -> Path:
        """The authority of brokers and their administrator, as they see each other."""
        return self.authorities

    def _logins(self, client: Client) -> Path:
        return self.layout.home / "logins" / client


def _service_of(client: Client) -> Service | None:
    """None for those that are none of mutt's."""
    return Service(client) if str(client) in list(Service) else None


def _of(group: SecretGroup, held: dict[str, str]) -> dict[str, str]:
    return {name: held[name] for name in group.names if name in held}
