"""`muttdev config`: static settings and dynamic keys alike: what stands where, what it may be, and changes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.cli.awaited import awaited
from ops.cli.config import Actor, Json, Reason
from ops.cli.exits import Exit, fail, printable, printable_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ops.standing import Standing
    from streams.core.config_audit import ConfigChange
    from streams.core.config_keys import StoredKey

app = typer.Typer()
RESTART = "in force with the next start of the stack: muttdev down && muttdev up"


def known_names(incomplete: str) -> list[str]:
    """For the shell's completion."""
    from ops.standing import names

    return [name for name in names() if name.startswith(incomplete)]


def _assignments(incomplete: str) -> list[str]:
    return [f"{name}=" for name in known_names(incomplete)]


Name = Annotated[str, typer.Argument(metavar="KEY", autocompletion=known_names, help="MUTT_… or a key's name.")]
Names = Annotated[list[str], typer.Argument(metavar="KEY...", autocompletion=known_names, help="All of them, or none.")]


@app.command("list")
def list_(as_json: Json = False) -> None:
    """Show every setting and key with its value, where that comes from, and what it may be."""
    _show_all(_everything(), as_json=as_json)


@app.command()
def get(names: Names, as_json: Json = False) -> None:
    """Print the value of each, a line each; nothing where it is unset."""
    found = [_one(name) for name in names]
    if as_json:
        typer.echo(printable_json({one.name: one.value for one in found}))
        return
    for one in found:
        typer.echo(printable(one.value or ""))


@app.command("set")
def set_(
    changes: Annotated[
        list[str], typer.Argument(metavar="KEY=VALUE...", autocompletion=_assignments, help="All of them, or none.")
    ],
    reason: Reason = None,
    actor: Actor = None,
    as_json: Json = False,
) -> None:
    """Change settings (in the file of this stack) or keys (in the database, recorded), checked against their bounds."""
    from ops.cli.config import set_keys
    from schemas.errors import Refused

    pairs = [change.partition("=") for change in changes]
    if any(not mark for _, mark, _ in pairs):
        raise Refused([f"{name!r} is not KEY=VALUE" for name, mark, _ in pairs if not mark])
    if _are_settings([name for name, _, _ in pairs]):
        _change_file({name: value for name, _, value in pairs}, as_json=as_json)
    else:
        _enter()
        set_keys(changes, reason, actor, as_json)


@app.command()
def unset(names: Names, reason: Reason = None, actor: Actor = None, as_json: Json = False) -> None:
    """Take settings out of the file, or keys back to their default."""
    from ops.cli.config import unset as unset_keys

    if _are_settings(names):
        _change_file(dict.fromkeys(names), as_json=as_json)
    else:
        _enter()
        unset_keys(names, reason, actor, as_json)


@app.command()
def diff(as_json: Json = False) -> None:
    """Show what differs from its default."""
    found = [one for one in _everything() if one.differs]
    if as_json:
        _show_all(found, as_json=True)
        return
    for one in found:
        typer.echo(printable(f"{one.name}: {one.default or 'unset'} -> {one.value} ({one.source})"))
    if not found:
        typer.echo("everything has its default")


@app.command()
def history(
    name: Annotated[
        str | None, typer.Argument(metavar="KEY", autocompletion=known_names, help="Only of this key.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="Changes.")] = 20,
    as_json: Json = False,
) -> None:
    """Show who changed keys, when and why, the newest first. Settings stand in a file, which nobody records."""
    from ops.cli.letter_views import short

    if name is not None and _are_settings([name]):
        fail(Exit.USAGE, f"{name} is a setting: changes of its file are not recorded; keys have a history")
    _enter()
    found = awaited(_changes(name, limit))
    if as_json:
        typer.echo(printable_json({"changes": [_change_json(one) for one in found]}))
        return
    for one in found:
        before, after = _texts(one)
        why = f"  {one.reason}" if one.reason else ""
        typer.echo(printable(f"{short(one.changed_at)}  {one.changed_by:<16} {one.object}: {before} -> {after}{why}"))
    if not found:
        typer.echo("nobody has changed it")


@app.command()
def explain(name: Name, as_json: Json = False) -> None:
    """Say of one setting or key what it means, what it may be, who reads it, and what it is now."""
    one = _one(name, must_answer=False)
    if as_json:
        typer.echo(printable_json(_row(one)))
        return
    rows = {
        "means": one.means or "see schemas/settings.py", "may be": one.bounds, "read by": one.read_by,
        "default": one.default or "unset", "now": one.value or "unset", "from": one.source,
    }  # fmt: skip
    if one.source == "unknown":
        rows["now"] = "unknown: the database was not reached"
    typer.echo(printable(one.name))
    for word, text in rows.items():
        typer.echo(printable(f"  {word:<8} {text}"))


# -- what the commands stand on -------------------------------------------------------------------------------


def _enter() -> None:
    from ops.cli.stack import enter_stack

    enter_stack()


def _file() -> Path:
    from ops.cli.stack import home
    from ops.settings_file import NAME

    return home() / NAME


def _everything() -> list[Standing]:
    """All settings, and the keys as far as the database tells; it says where it does not."""
    from ops.standing import keys
    from schemas.errors import SecretRefused, Unavailable

    found = _settings()
    try:
        return found + keys(_stored())
    except (Unavailable, SecretRefused, OSError) as error:
        from ops.cli.exits import classify

        typer.echo(printable(f"keys are unknown: {classify(error)[1]}"), err=True)
        return found + keys(None)


def _settings() -> list[Standing]:
    import os

    from ops.cli.stack import stack_environment
    from ops.settings_file import read
    from ops.standing import settings

    return settings({"environment": os.environ, "file": read(_file()), "stack": stack_environment()})


def _one(name: str, *, must_answer: bool = True) -> Standing:
    """Raises Refused, with what it may have been meant to be."""
    if _are_settings([name]):
        return next(one for one in _settings() if one.name == name)
    from ops.standing import keys

    found = keys(_stored()) if must_answer else _everything()
    return next(one for one in found if one.name == name)


def _stored() -> Mapping[str, StoredKey]:
    _enter()
    return awaited(_read())


async def _read() -> Mapping[str, StoredKey]:
    from ops.cli.connections import database, settings_from_environment
    from streams.adapters.config_store import ConfigStore
    from streams.adapters.transactions import Transactions

    async with database(settings_from_environment()) as pool:
        return await ConfigStore(Transactions(pool)).stored()


async def _changes(name: str | None, limit: int) -> Sequence[ConfigChange]:
    from ops.cli.connections import database, settings_from_environment
    from streams.adapters.config_audit import ConfigAudit
    from streams.adapters.transactions import Transactions
    from streams.core.config_audit import ConfigAuditQuery

    query = ConfigAuditQuery(tables=("dynamic_config",), object=name)
    async with database(settings_from_environment()) as pool:
        return (await ConfigAudit(Transactions(pool)).page(query, after=None, limit=limit)).items


def _are_settings(names: Sequence[str]) -> bool:
    """Whether all are settings; False where all are keys. Raises Refused for unknown ones, and for a mixture."""
    from schemas.config import BY_NAME
    from schemas.config_values import parse_value
    from schemas.errors import Refused
    from schemas.settings import Settings, is_setting

    static = [name for name in names if is_setting(name)]
    for name in static:
        Settings.from_env({name: ""} if name in known_names(name) else {name: "x"})
    for name in names:
        if name not in static and name not in BY_NAME:
            parse_value(name, "")
    if static and len(static) < len(names):
        raise Refused("settings stand in a file and keys in the database: change them by two commands")
    return bool(static)


def _change_file(changes: Mapping[str, str | None], *, as_json: bool) -> None:
    from ops.settings_file import change

    changed = change(_file(), changes)
    if as_json:
        told = {name: {"before": before, "after": after} for name, (before, after) in changed.items()}
        typer.echo(printable_json({"changed": told, "file": str(_file())}))
        return
    for name, (before, after) in changed.items():
        typer.echo(printable(f"{name}: {before or 'default'} -> {after or 'default'}"))
    typer.echo(printable(f"{_file()}; {RESTART}") if changed else "nothing to change: that is how it was")


def _show_all(found: Sequence[Standing], *, as_json: bool) -> None:
    if as_json:
        typer.echo(printable_json({"keys": [_row(one) for one in found]}))
        return
    for one in found:
        value = "?" if one.source == "unknown" else one.value or "-"
        typer.echo(printable(f"{one.name:<31} {value:<24} {one.source:<11} {one.bounds}"))


def _row(one: Standing) -> dict[str, Any]:
    return {
        "key": one.name, "kind": "key" if one.dynamic else "setting", "value": one.value, "source": one.source,
        "default": one.default, "bounds": one.bounds, "read_by": one.read_by, "means": one.means,
    }  # fmt: skip


def _change_json(one: ConfigChange) -> dict[str, Any]:
    before, after = _texts(one)
    at = one.changed_at.isoformat().replace("+00:00", "Z")
    who = {"at": at, "by": one.changed_by, "reason": one.reason}
    return {"key": one.object, "before": before, "after": after} | who


def _texts(one: ConfigChange) -> tuple[str, str]:
    """Stored texts before and after."""
    return tuple(str((values or {}).get("value", "default")) for values in (one.before, one.after))  # type: ignore[return-value]
