"""`python -m api`: serves the API until SIGTERM or SIGINT. Settings and secrets come from the environment."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import signal
import socket
import sys
from types import FrameType
from typing import NoReturn

import structlog

from api.app import create_app, resources, utc_now
from api.beside import beside
from api.parts import console_of, doors_of, parts_on, ports_of, upkeep_of
from api.pipeline import Pipeline
from api.server import Serving, listen, served
from schemas.errors import SettingsRefused
from schemas.secrets import Secret
from schemas.settings import Settings
from streams import logs
from streams.adapters.database import create_pool
from streams.adapters.secrets import API_KEY, API_PEPPER, FileSecrets, SecretSource, pepper_of

log = structlog.get_logger()

CONNECTIONS = 8

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
    """The one key of the secrets. Raises SettingsRefused when others could reach an API that asks for no key."""
    key, pepper = secrets.get(API_KEY), pepper_of(secrets)
    if key is not None and not key:
        raise SettingsRefused(f"the secret {API_KEY} is empty; write a key into it or remove it")
    if key is None and pepper is None and not is_loopback(host):
        wanted = f"the secret {API_PEPPER} (for stored keys) or {API_KEY}"
        raise SettingsRefused(f"MUTT_HOST={host!r} is no loopback address, so the API needs {wanted}")
    return key


def is_loopback(host: str) -> bool:
    """Only addresses count, and the name localhost: any other name may mean something else tomorrow."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def serve(settings: Settings, secrets: SecretSource, key: Secret | None, listening: socket.socket) -> None:
    """Answers on the socket until a signal comes, then finishes what is in hand."""
    pool = await create_pool(settings, secrets, size=CONNECTIONS)
    parts = parts_on(pool, at_once=CONNECTIONS, single=key, pepper=pepper_of(secrets))
    pipeline = await Pipeline.create(settings, secrets, parts.metrics, parts.transactions, utc_now)
    app = create_app(resources(ports_of(parts, pipeline, settings)), doors_of(parts, settings), parts.metrics)
    host, port = listening.getsockname()[:2]
    log.info("listening", host=host, port=port, key_needed=not (key is None and parts.pepper is None))
    upkeep, writer = upkeep_of(parts), parts.writer
    try:
        async with (
            beside("upkeep", upkeep.run, last=upkeep.write),
            beside("indicators", writer.run, last=writer.write),
            pipeline.running(),
        ):
            await Serving(served(console_of(parts, app, settings)), parts.stopping).serve(sockets=[listening])
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
