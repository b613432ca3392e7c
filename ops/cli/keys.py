"""`mutt keys`: API keys: who may ask the API for what."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.cli.config import Actor, Json, Reason, author
from ops.cli.durations import METAVAR, duration
from ops.cli.exits import Exit, fail, printable
from schemas.scopes import Scope
from streams import crash

if TYPE_CHECKING:
    from streams.adapters.api_keys import KeyStore
    from streams.core.api_keys import ApiKey, MadeKey
    from streams.core.auth_failures import FailureRow

app = typer.Typer()

Client = Annotated[str, typer.Argument(help="Whose key it is: a short name, which audit rows show as api:NAME.")]
ONCE = "this is the only time that the key is shown"


@app.command()
def create(
    client: Client,
    scope: Annotated[list[Scope], typer.Option("--scope", help="What it may do; once for each.")],
    expires: Annotated[str | None, typer.Option("--expires", metavar=METAVAR, help="From now, like 90d.")] = None,
    name: Annotated[str, typer.Option("--name", help="What it is for, for people.")] = "",
    reason: Reason = None,
    actor: Actor = None,
    as_json: Json = False,
) -> None:
    """Make a key and show it, this once. A client has at most two live keys. Recorded."""
    from streams.core.api_keys import WantedKey

    until = _now() + duration(expires) if expires else None
    wanted = WantedKey(client, frozenset(scope), name, until)

    async def make() -> MadeKey:
        async with _store() as store:
            return await store.create(wanted, author(actor, reason))

    _show_made(asyncio.run(make()), as_json=as_json)


@app.command("list")
def list_(
    client: Annotated[str | None, typer.Option("--client", help="Only those of this client.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also those that expired or were revoked.")] = False,
    as_json: Json = False,
) -> None:
    """Show keys, the newest first: what they may do, until when, and when each was used last."""
    found = asyncio.run(_read(client))
    keys = [key for key in found if everything or not key.dead(_now())]
    if as_json:
        typer.echo(json.dumps({"keys": [key_json(key) for key in keys]}))
        return
    for key in keys:
        typer.echo(printable(_line(key)))
    if not keys:
        typer.echo("no key" if everything else "no live key")


@app.command()
def rotate(
    client: Client,
    grace: Annotated[
        str | None,
        typer.Option("--grace", metavar=METAVAR, help="The older key expires then; without it, when it is revoked."),
    ] = None,
    reason: Reason = None,
    actor: Actor = None,
    as_json: Json = False,
) -> None:
    """Make a second key like the client's newest, with its scopes and length of life, and show it once. Recorded."""
    stays = duration(grace) if grace else None

    async def make() -> MadeKey | None:
        async with _store() as store:
            return await store.rotate(client, author(actor, reason), grace=stays)

    made = asyncio.run(make())
    if made is None:
        fail(Exit.CHECK_FAILED, f"client {client} has no live key; make one with: mutt keys create")
    crash.here("key_made")
    _show_made(made, as_json=as_json)


@app.command()
def revoke(
    id: Annotated[str, typer.Argument(help="The key's id, as `mutt keys list` shows it.")],
    reason: Reason = None,
    actor: Actor = None,
    as_json: Json = False,
) -> None:
    """End a key, within a second and for good. Recorded."""

    async def end() -> ApiKey | None:
        async with _store() as store:
            return await store.revoke(id, author(actor, reason))

    key = asyncio.run(end())
    if key is None:
        fail(Exit.CHECK_FAILED, "there is no key of this id; see: mutt keys list")
    typer.echo(json.dumps(key_json(key)) if as_json else printable(_line(key)))


@app.command()
def failures(
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="Rows.")] = 50, as_json: Json = False
) -> None:
    """Show who failed to authenticate to the API, when and why, the newest first; a row a minute, caller and reason."""

    async def read() -> list[FailureRow]:
        async with _store() as store:
            return await store.failures(limit)

    rows = asyncio.run(read())
    if as_json:
        typer.echo(json.dumps({"failures": [failure_json(row) for row in rows]}))
        return
    for row in rows:
        facts = failure_json(row)
        typer.echo(f"{facts['last_at']}  {row.address:<39} {row.key_id or '-':<12} {row.reason:<9} {row.failures}")
    if not rows:
        typer.echo("nobody failed")


def failure_json(row: FailureRow) -> dict[str, Any]:
    from ops.cli.letter_views import short

    return {
        "address": row.address,
        "key_id": row.key_id or None,
        "reason": row.reason.value,
        "failures": row.failures,
        "first_at": short(row.first_at),
        "last_at": short(row.last_at),
    }


def key_json(key: ApiKey) -> dict[str, Any]:
    from streams.core.letter_documents import time_text

    return {
        "id": key.id,
        "client": key.client,
        "name": key.name,
        "scopes": sorted(key.scopes),
        "state": key.state(_now()),
        "created_at": time_text(key.created_at),
        "expires_at": time_text(key.expires_at),
        "revoked_at": time_text(key.revoked_at),
        "last_used_at": time_text(key.last_used_at),
    }


def _show_made(made: MadeKey, *, as_json: bool) -> None:
    """The only place where a secret leaves a command."""
    if as_json:
        typer.echo(json.dumps({"key": made.text.reveal()} | key_json(made.key)))
        return
    typer.echo(made.text.reveal())
    for line in (_line(made.key), ONCE):
        typer.echo(printable(line), err=True)


def _line(key: ApiKey) -> str:
    from ops.cli.letter_views import short

    facts = [f"{key.id}  {key.client:<20} {key.state(_now()):<8}", " ".join(sorted(key.scopes))]
    facts.append(f"expires {short(key.expires_at)}" if key.expires_at else "does not expire")
    facts.append(f"used {short(key.last_used_at)}" if key.last_used_at else "never used")
    return "  ".join([*facts, key.name]).rstrip()


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


async def _read(client: str | None) -> list[ApiKey]:
    keys: list[ApiKey] = []
    async with _store() as store:
        page = await store.keys(client=client, limit=1000)
        keys += page.items
        while page.next is not None:
            page = await store.keys(client=client, after=page.next, limit=1000)
            keys += page.items
    return keys


@asynccontextmanager
async def _store() -> AsyncIterator[KeyStore]:
    from ops.cli.connections import database, settings_from_environment
    from schemas.secret_names import API_PEPPER, Service
    from streams.adapters.api_keys import KeyStore
    from streams.adapters.secret_sources import read_secrets
    from streams.adapters.secrets import live
    from streams.adapters.transactions import Transactions

    settings = settings_from_environment()
    peppers = live(read_secrets(settings, Service.OPERATOR), API_PEPPER)
    async with database(settings) as pool:
        yield KeyStore(Transactions(pool), peppers)
