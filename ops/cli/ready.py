"""`mutt ready SERVICE`: what the health check of a container or a unit runs."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from ops.cli.exits import Exit, fail, printable
from schemas.errors import words
from schemas.settings import Settings

if TYPE_CHECKING:
    import ssl

PATIENCE_S = 4.0
SHOWN = 500
"""Characters of the answer that are told."""
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - asked there, not listened on


class Served(StrEnum):
    """What answers /ready."""

    MATCH = "match"
    FORWARD = "forward"
    DEAD_LETTERS = "dead-letters"
    SNMP_BRIDGE = "snmp-bridge"
    API = "api"


def ready(
    service: Annotated[Served, typer.Argument(help="What is asked, at the address that its settings name.")],
    alive: Annotated[bool, typer.Option("--alive", help="Only whether it answers, not whether it can work.")] = False,
) -> None:
    """Ask a service of mutt on this machine whether it can work; exit 1 when it says no, 69 when it says nothing."""
    settings = Settings.from_env(os.environ)
    status, said = _ask(address_of(service, settings), "/health" if alive else "/ready", settings.tls_cert)
    typer.echo(printable(said))
    if status != 200:
        raise typer.Exit(Exit.CHECK_FAILED)


def address_of(service: Served, settings: Settings) -> tuple[str, int]:
    """Where it listens; a service that listens everywhere is asked on loopback."""
    port: int = getattr(settings, f"{service.replace('-', '_')}_port")
    return EVERYWHERE.get(settings.host, settings.host), port


def _ask(address: tuple[str, int], path: str, tls_cert: str | None) -> tuple[int, str]:
    from http.client import HTTPConnection, HTTPException, HTTPSConnection

    if tls_cert is None:
        connection = HTTPConnection(*address, timeout=PATIENCE_S)
    else:
        connection = HTTPSConnection(*address, timeout=PATIENCE_S, context=_trusting(tls_cert))
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read(SHOWN).decode("utf-8", "replace").strip()
    except (OSError, HTTPException) as error:
        fail(Exit.UNAVAILABLE, f"nothing answers at {address[0]}:{address[1]}: {words(error)}")
    finally:
        connection.close()


def _trusting(cert: str) -> ssl.SSLContext:
    """That very certificate, under whatever name it was made for."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cert)
    return context
