"""`python -m api`: serves the API until SIGTERM or SIGINT. Settings and secrets come from the environment."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import traceback
from types import FrameType
from typing import NoReturn

import structlog

from api.app import create_app, resources, utc_now
from api.beside import beside
from api.parts import console_of, doors_of, parts_on, ports_of, upkeep_of
from api.pipeline import Pipeline
from api.server import Serving, listen, served
from schemas.errors import SettingsRefused
from schemas.secret_names import API_KEY, API_KEY_NEXT, API_PEPPER, API_PEPPER_PREVIOUS, Service
from schemas.settings import Settings, settings_of_process
from streams import logs
from streams.adapters.database import create_pool
from streams.adapters.listening import Front, front_of
from streams.adapters.secrets import SecretSource, live
from streams.metrics import SecretMetrics
from streams.safe_start import open_safely

log = structlog.get_logger()

CONNECTIONS = 8

EXIT_CONFIGURATION = 78
EXIT_UNAVAILABLE = 69
EXIT_INTERNAL = 70


def main() -> NoReturn:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    try:
        settings = settings_of_process(os.environ)
        logs.configure(settings.log_level, "api")
        metrics = SecretMetrics()
        secrets = open_safely(settings, Service.API, metrics, _end)
        front = front_of(settings)
    except SettingsRefused as refused:
        _fail(EXIT_CONFIGURATION, str(refused))
    try:
        listening = listen(settings.host, settings.api_port)
    except OSError as error:
        _fail(EXIT_UNAVAILABLE, f"cannot listen on {settings.host}:{settings.api_port}: {error.strerror or error}")
    asyncio.run(serve(settings, secrets, metrics, listening, front))
    sys.exit(0)


async def serve(
    settings: Settings, secrets: SecretSource, secret_metrics: SecretMetrics, listening: socket.socket, front: Front
) -> None:
    """Answers on the socket until a signal comes, then finishes what is in hand."""
    pool = await create_pool(settings, secrets, size=CONNECTIONS)
    single, peppers = live(secrets, API_KEY, API_KEY_NEXT), live(secrets, API_PEPPER, API_PEPPER_PREVIOUS)
    parts = parts_on(pool, at_once=CONNECTIONS, single=single, peppers=peppers)
    secret_metrics.register(parts.metrics.registry)
    pipeline = await Pipeline.create(settings, secrets, parts.metrics, parts.transactions, utc_now)
    app = create_app(
        resources(ports_of(parts, pipeline, settings, front.door)), doors_of(parts, settings), parts.metrics
    )
    host, port = listening.getsockname()[:2]
    log.info("listening", host=host, port=port, key_needed=bool(single() or peppers()))
    upkeep, writer = upkeep_of(parts), parts.writer
    try:
        async with (
            beside("upkeep", upkeep.run, last=upkeep.write),
            beside("indicators", writer.run, last=writer.write),
            pipeline.running(),
        ):
            await Serving(served(console_of(parts, app, settings), front.tls), parts.stopping).serve(
                sockets=[listening]
            )
    finally:
        pool.terminate()


def _leave(_: int, __: FrameType | None) -> NoReturn:
    """Before the server runs, and once it has stopped: a signal is a wish, not a failure."""
    sys.exit(0)


def _end(error: BaseException) -> None:
    """A defect beside the requests: say it and end. The supervisor starts the API again."""
    log.critical("ends on a defect", error=repr(error), traceback="".join(traceback.format_exception(error)))
    os._exit(EXIT_INTERNAL)


def _fail(code: int, message: str) -> NoReturn:
    sys.stderr.write(f"mutt: {message}\n")
    sys.exit(code)


if __name__ == "__main__":
    main()
