"""`mutt migrate`: brings the database schema up to this program."""

from __future__ import annotations

from typing import Annotated

import typer

from ops.cli.awaited import awaited
from ops.cli.exits import Exit


def migrate(
    check: Annotated[bool, typer.Option("--check", help="Change nothing; exit 1 when something is pending.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Apply pending migrations, and make sure that audit partitions lie three months ahead."""
    names = awaited(_run(check))
    if as_json:
        import orjson

        typer.echo(orjson.dumps({"pending" if check else "applied": names, "ok": not (check and names)}))
    elif check:
        typer.echo("\n".join(f"pending: {name}" for name in names) or "the schema is current")
    else:
        typer.echo("\n".join(f"applied: {name}" for name in names) or "the schema is current")
    if check and names:
        raise typer.Exit(Exit.CHECK_FAILED)


async def _run(check: bool) -> list[str]:
    from ops.cli.connections import settings_from_environment
    from schemas.secret_names import Service
    from streams.adapters.database import connect
    from streams.adapters.migrations import migrate as apply
    from streams.adapters.migrations import packaged, pending
    from streams.adapters.secret_sources import read_secrets

    settings = settings_from_environment()
    connection = await connect(settings, read_secrets(settings, Service.MIGRATE))
    try:
        found = await pending(connection, packaged()) if check else await apply(connection)
    finally:
        await connection.close()
    return [str(migration) for migration in found]
