"""`python -m api`: serves the API until SIGTERM or SIGINT. Settings and secrets come from the environment."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import signal
import socket
import sys
from functools import partial
from types import FrameType
from typing import NoReturn

import structlog
import uvicorn

from api.app import Doors, Ports, create_app, resources
from api.auth import OneKey
from api.circuit import Circuit
from api.guarded_reads import POLICY, POSTGRESQL, WAIT_S, WAITING, GuardedReads
from api.health import Check
from api.hosts import Hosts
from api.metrics import ApiMetrics
from api.protocol import MOST_READ, Protocol
from api.turns import Turns
from schemas.errors import SettingsRefused
from schemas.secrets import Secret
from schemas.settings import Settings
from streams import logs
from streams.adapters.brokers import check_brokers
from streams.adapters.database import create_pool
from streams.adapters.reads import PostgresReads
from streams.adapters.secrets import API_KEY, FileSecrets, SecretSource

log = structlog.get_logger()

CONNECTIONS = 8
SHUTDOWN_S = 5
"""Seconds that requests in hand get to finish after SIGTERM."""
IDLE_S = 5

EXIT_CONFIGURATION = 78
EXIT_UNAVAILABLE = 69


def main() -> NoReturn:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    try:
        settings = Settings.from_env(os.environ)
        secrets = FileSecrets(settings.secrets_dir)
        key = api_key(secrets, settings.host)
    except SettingsRefused as refused:
        _fail(EXIT_CONFIGURATION, str(refused))
    try:
        listening = listen(settings.host, settings.api_port)
    except OSError as error:
        _fail(EXIT_UNAVAILABLE, f"cannot listen on {settings.host}:{settings.api_port}: {error.strerror or error}")
    logs.configure(settings.log_level, "api")
    asyncio.run(serve(settings, secrets, key, listening))
    sys.exit(0)


def api_key(secrets: SecretSource, host: str) -> Secret | None:
    """The key that callers need. Raises SettingsRefused when others could reach an API that has none."""
    key = secrets.get(API_KEY)
    if key is not None and not key:
        raise SettingsRefused(f"the secret {API_KEY} is empty; write a key into it or remove it")
    if key is None and not is_loopback(host):
        raise SettingsRefused(f"MUTT_HOST={host!r} is no loopback address, so the API needs the secret {API_KEY}")
    return key


def is_loopback(host: str) -> bool:
    """Only addresses count, and the name localhost: any other name may mean something else tomorrow."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises OSError when the address is taken or not ours."""
    return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=512)


async def serve(settings: Settings, secrets: SecretSource, key: Secret | None, listening: socket.socket) -> None:
    """Answers on the socket until a signal comes, then finishes what is in hand."""
    pool = await create_pool(settings, secrets, size=CONNECTIONS)
    metrics = ApiMetrics()
    turns = Turns(CONNECTIONS, waiting=WAITING, within_s=WAIT_S)
    reads = GuardedReads(PostgresReads(pool), Circuit(POSTGRESQL, POLICY, metrics), turns)
    checks: dict[str, Check] = {
        "postgresql": reads.check_schema,
        "kafka": partial(check_brokers, settings.kafka_bootstrap),
    }
    ports = Ports(metrics=metrics, checks=checks, reads=reads)
    doors = Doors(authenticator=OneKey(key), hosts=Hosts(settings.hosts_allowed), origins=settings.origins_allowed)
    config = uvicorn.Config(
        create_app(resources(ports), doors, metrics),
        http=Protocol,
        h11_max_incomplete_event_size=MOST_READ,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=SHUTDOWN_S,
    )
    host, port = listening.getsockname()[:2]
    log.info("listening", host=host, port=port, key_needed=key is not None)
    try:
        await uvicorn.Server(config).serve(sockets=[listening])
    finally:
        pool.terminate()


def _leave(_: int, __: FrameType | None) -> NoReturn:
    """Before the server runs, and once it has stopped: a signal is a wish, not a failure."""
    sys.exit(0)


def _fail(code: int, message: str) -> NoReturn:
    sys.stderr.write(f"mutt: {message}\n")
    sys.exit(code)


if __name__ == "__main__":
    main()
