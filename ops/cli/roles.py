"""`mutt roles apply|check`: the roles of PostgreSQL and what each may do. docs/ACCESS.md shows the table."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ops.cli.exits import Exit, fail, printable

if TYPE_CHECKING:
    import asyncpg

    from schemas.secret_names import DatabaseRole
    from schemas.secrets import Secret

app = typer.Typer()

Json = Annotated[bool, typer.Option("--json", help="One JSON object.")]


@app.command()
def apply(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print the statements.")] = False,
    logins: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Also a login in each role that has a file there (worker, api, ...), which holds its password.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make the roles, and give each its rights and no other. Safe to repeat; all of it or nothing.

    Logs in as whoever may make roles: with the secrets of the service `rotate`. Logins are mutt_worker_a and so on;
    where Vault keeps the secrets, make them with `mutt secrets rotate-db`.
    """
    from streams.adapters.database_roles import apply_roles

    passwords = _passwords(logins) if logins else {}
    statements = asyncio.run(_connected(lambda connection: apply_roles(connection, keep=not dry_run, logins=passwords)))
    if as_json:
        typer.echo(json.dumps({"statements": statements, "applied": not dry_run, "ok": True}))
    elif dry_run:
        typer.echo("\n".join(printable(f"{statement};") for statement in statements))
    else:
        typer.echo(f"the roles are as they should be ({len(statements)} statements)")


@app.command()
def check(as_json: Json = False) -> None:
    """Compare roles, owners and rights with what they should be; exit 1 where one differs. Changes nothing."""
    from streams.adapters.database_roles import differences

    found = asyncio.run(_connected(differences))
    if as_json:
        typer.echo(json.dumps({"differences": found, "ok": not found}))
        if found:
            raise typer.Exit(Exit.CHECK_FAILED)
    elif found:
        for line in found:
            typer.echo(printable(line))
        fail(Exit.CHECK_FAILED, f"{len(found)} differences; run: mutt roles apply")
    else:
        typer.echo("the roles are as they should be")


def _passwords(folder: Path) -> dict[DatabaseRole, Secret]:
    """By role, of those that have a file. Raises SettingsRefused."""
    from schemas.secret_names import DatabaseRole
    from streams.adapters.secrets import read_all

    held = read_all(folder)
    ours = [role for role in DatabaseRole if role is not DatabaseRole.ADMIN and role in held]
    if not ours:
        fail(Exit.USAGE, f"--logins {folder}: there is no file named like a role: worker, api, migrate, ...")
    return {role: _password(folder / role, held[role]) for role in ours}


def _password(file: Path, text: str) -> Secret:
    from schemas.errors import SecretRefused, SettingsRefused
    from schemas.secret_names import DB_PASSWORD, DatabaseRole, database_group
    from streams.core.secret_rules import checked

    try:
        return checked(database_group(DatabaseRole(file.name)), {DB_PASSWORD: text})[DB_PASSWORD]
    except SecretRefused as refused:
        raise SettingsRefused(f"{file} holds no password: {refused}") from None


async def _connected(work: Callable[[asyncpg.Connection], Awaitable[list[str]]]) -> list[str]:
    from ops.cli.connections import settings_from_environment
    from schemas.secret_names import Service
    from streams.adapters.database import connect
    from streams.adapters.secret_sources import read_secrets

    settings = settings_from_environment()
    connection = await connect(settings, read_secrets(settings, Service.ROTATE))
    try:
        return await work(connection)
    finally:
        await connection.close()
