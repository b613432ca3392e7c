"""`mutt retention hold set|list|lift`: what nobody deletes, whatever the policies say. Recorded."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.cli.config import Actor, Json, author
from ops.cli.durations import instant
from ops.cli.exits import printable

if TYPE_CHECKING:
    from streams.adapters.legal_holds import LegalHolds, Wanted
    from streams.core.authors import Author
    from streams.core.retention import Hold

app = typer.Typer(
    help="Legal holds: what is not deleted until it is lifted; every change is recorded.", no_args_is_help=True
)

Why = Annotated[str, typer.Option("--reason", help="Why, for the record.")]


@app.command("set")
def set_hold(
    reason: Why,
    table: Annotated[
        str | None, typer.Option("--table", help="audit, alerts, dead_letters, config_audit or sli; all if not said.")
    ] = None,
    host: Annotated[str | None, typer.Option("--host", help="Only rows of this host, or that name none.")] = None,
    since: Annotated[str | None, typer.Option("--from", help="Rows from then on; RFC 3339 with zone.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="Rows before then; RFC 3339 with zone.")] = None,
    actor: Actor = None,
    as_json: Json = False,
) -> None:
    """Keep rows until the hold is lifted. A partition is kept whole, if one row of it is held."""
    from streams.adapters.legal_holds import Wanted

    begins = None if since is None else instant("--from", since)
    ends = None if until is None else instant("--to", until)
    wanted = Wanted(_kind(table), host, begins, ends)
    _tell(asyncio.run(_set(wanted, author(actor, reason))), as_json=as_json)


@app.command("list")
def list_holds(
    lifted: Annotated[bool, typer.Option("--all", help="Those that were lifted too.")] = False, as_json: Json = False
) -> None:
    """Show the holds in force."""
    found = asyncio.run(_list(lifted))
    if as_json:
        typer.echo(json.dumps({"holds": [_body(hold) for hold in found]}))
        return
    for hold in found:
        typer.echo(printable(_line(hold)))
    if not found:
        typer.echo("no legal hold is in force")


@app.command()
def lift(
    number: Annotated[int, typer.Argument(metavar="ID", min=1, help="As `mutt retention hold list` shows it.")],
    reason: Why,
    actor: Actor = None,
    as_json: Json = False,
) -> None:
    """Lift a hold: the next run deletes what is past its time. The hold itself stays on record."""
    _tell(asyncio.run(_lift(number, author(actor, reason))), as_json=as_json)


def _kind(table: str | None) -> Any:
    from schemas.errors import Refused
    from streams.core.retention import Kind

    if table is None:
        return None
    try:
        return Kind(table)
    except ValueError:
        raise Refused(f"--table must be one of {', '.join(Kind)}") from None


def _tell(hold: Hold, *, as_json: bool) -> None:
    typer.echo(json.dumps(_body(hold)) if as_json else printable(_line(hold)))


def _line(hold: Hold) -> str:
    from streams.core.letter_documents import time_text

    span = f"{time_text(hold.since) or 'the beginning'} to {time_text(hold.until) or 'no end'}"
    lifted = f"; lifted {time_text(hold.lifted_at)} by {hold.lifted_by}: {hold.lift_reason}" if hold.lifted_at else ""
    whose = f"{hold.kind or 'all tables'}, {hold.hostname or 'all hosts'}"
    return f"{hold.id}  {whose}, {span}  by {hold.set_by}: {hold.reason}{lifted}"


def _body(hold: Hold) -> dict[str, Any]:
    from streams.core.letter_documents import time_text

    body = dataclasses.asdict(hold)
    return body | {name: time_text(body[name]) for name in ("since", "until", "set_at", "lifted_at")}


@asynccontextmanager
async def _store() -> AsyncIterator[LegalHolds]:
    from ops.cli.connections import database, settings_from_environment
    from streams.adapters.legal_holds import LegalHolds
    from streams.adapters.transactions import Transactions

    async with database(settings_from_environment()) as pool:
        yield LegalHolds(Transactions(pool))


async def _set(wanted: Wanted, author: Author) -> Hold:
    async with _store() as store:
        return await store.set(wanted, author)


async def _list(lifted: bool) -> list[Hold]:
    async with _store() as store:
        return await store.list(lifted=lifted)


async def _lift(number: int, author: Author) -> Hold:
    async with _store() as store:
        return await store.lift(number, author)
