"""`mutt config`: Dynamic configuration: what is in force, and changes of it, live within a second."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.cli.awaited import awaited
from ops.cli.exits import printable

if TYPE_CHECKING:
    from schemas.config import DynamicConfig, Key
    from streams.core.authors import Author

app = typer.Typer()

Json = Annotated[bool, typer.Option("--json", help="One JSON object.")]
Reason = Annotated[str | None, typer.Option("--reason", help="Why, for the record.")]
Actor = Annotated[str | None, typer.Option("--actor", help="Who does this, for the record.")]


def author(actor: str | None, reason: str | None) -> Author:
    """Who signs a change made by a command: who was named, else who runs it."""
    from ops.cli.connections import user_name
    from streams.core.authors import Author

    return Author(actor or f"cli:{user_name()}", reason)


@app.command()
def show(
    keys: Annotated[list[str] | None, typer.Argument(help="Only these keys.")] = None, as_json: Json = False
) -> None:
    """Show keys with their value in force, their bounds and what they mean."""
    wanted = [_known(name) for name in keys or ()]
    config, stored, problems = awaited(_read())
    rows = [_row(key, config, stored) for key in wanted or _all()]
    if as_json:
        typer.echo(json.dumps({"keys": rows, "problems": problems}))
        return
    for row in rows:
        origin = "set" if row["set"] else "default"
        facts = f"{row['means']} ({row['bounds']})"
        typer.echo(printable(f"{row['key']:<31} {row['text']:<10} {origin:<8} {facts}"))
    for problem in problems:
        typer.echo(printable(f"not in force: {problem}"))


@app.command("set")
def set_keys(
    changes: Annotated[list[str], typer.Argument(metavar="KEY=VALUE...", help="All of them, or none.")],
    reason: Reason = None,
    actor: Actor = None,
    as_json: Json = False,
) -> None:
    """Change keys together, checked against their bounds and each other. Recorded; workers follow within a second."""
    from schemas.errors import Refused

    wrong = [change for change in changes if "=" not in change]
    if wrong:
        raise Refused([f"{change!r} is not KEY=VALUE" for change in wrong])
    wanted: dict[str, str | None] = {name: text for name, _, text in (change.partition("=") for change in changes)}
    _change(wanted, reason, actor, as_json=as_json)


@app.command()
def unset(
    keys: Annotated[list[str], typer.Argument(help="All of them, or none.")],
    reason: Reason = None,
    actor: Actor = None,
    as_json: Json = False,
) -> None:
    """Take keys back to their default. Recorded."""
    _change(dict.fromkeys(_known(name).name for name in keys), reason, actor, as_json=as_json)


def _change(wanted: dict[str, str | None], reason: str | None, actor: str | None, *, as_json: bool) -> None:
    from ops.cli.connections import user_name

    done = awaited(_write(wanted, actor or f"cli:{user_name()}", reason))
    if as_json:
        changed = {name: {"before": before, "after": after} for name, (before, after) in done.items()}
        typer.echo(json.dumps({"changed": changed}))
        return
    for name, (before, after) in done.items():
        typer.echo(printable(f"{name}: {before or 'default'} -> {after or 'default'}"))
    if not done:
        typer.echo("nothing to change: that is how it was")


def _all() -> tuple[Key, ...]:
    from schemas.config import KEYS

    return KEYS


def _known(name: str) -> Key:
    """The key of that name. Raises ConfigRefused with what it may have been meant to be."""
    from schemas.config import BY_NAME
    from schemas.config_values import parse_value

    if name not in BY_NAME:
        parse_value(name, "")
    return BY_NAME[name]


def _row(key: Key, config: DynamicConfig, stored: dict[str, str]) -> dict[str, Any]:
    from schemas.config_values import to_text

    value = getattr(config, key.name)
    facts = {"bounds": key.bounds, "means": key.means, "read_by": key.read_by}
    return {"key": key.name, "value": value, "text": to_text(value), "set": key.name in stored} | facts


async def _read() -> tuple[DynamicConfig, dict[str, str], tuple[str, ...]]:
    """What is in force, what is stored, and what of that is not obeyed."""
    from ops.cli.connections import database, settings_from_environment
    from schemas.config_values import tolerant_snapshot
    from streams.adapters.config_store import ConfigStore
    from streams.adapters.transactions import Transactions

    async with database(settings_from_environment()) as pool:
        stored = await ConfigStore(Transactions(pool)).read()
    config, problems = tolerant_snapshot(stored)
    return config, stored, problems


async def _write(
    wanted: dict[str, str | None], actor: str, reason: str | None
) -> dict[str, tuple[str | None, str | None]]:
    from ops.cli.connections import database, settings_from_environment
    from streams.adapters.config_store import ConfigStore
    from streams.adapters.transactions import Transactions
    from streams.core.authors import Author

    async with database(settings_from_environment()) as pool:
        return await ConfigStore(Transactions(pool)).change(wanted, Author(actor, reason))
