"""`mutt erase`: takes what a device or a person said out of the tables, for a reason that is recorded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ops.cli.awaited import awaited
from ops.cli.config import Actor, Json, author
from ops.cli.consent import YesOption, agree
from ops.cli.exits import Exit, printable

if TYPE_CHECKING:
    from streams.adapters.erasures import Erased
    from streams.core.authors import Author
    from streams.core.erasure import Target


def erase(
    reason: Annotated[str, typer.Option("--reason", help="Why, for the record.")],
    host: Annotated[str | None, typer.Option("--host", help="Rows of this host, as it is written.")] = None,
    pattern: Annotated[
        str | None, typer.Option("--pattern", help="Rows in which this text stands, whatever its case; no expression.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be erased.")] = False,
    yes: YesOption = False,
    actor: Actor = None,
    as_json: Json = False,
) -> None:
    """Take text and bytes out of audit, alerts, letters and signatures; positions and decisions stay.

    Rows under a legal hold stay whole. So do alerts that are not settled and letters that a replay has in hand:
    exit 75, run it again. Archives and side tables that still hold the data are named; they are not changed.
    """
    from streams.core.erasure import Target

    target = Target(host, pattern)
    found = awaited(_run(target, None))
    if not dry_run:
        rows = sum(tally.rows for tally in found.tables.values())
        agree(f"Erase {rows} rows for good?", yes=yes, otherwise="nothing was erased")
        found = awaited(_run(target, author(actor, reason)))
    _tell(found, dry_run=dry_run, as_json=as_json)
    if found.busy:
        raise typer.Exit(Exit.TRY_AGAIN)


async def _run(target: Target, signed: Author | None) -> Erased:
    from ops.cli.connections import database, settings_from_environment
    from schemas.secret_names import Service
    from streams.adapters.archives import ArchiveFolder
    from streams.adapters.erasures import Erasures
    from streams.adapters.transactions import Transactions

    settings = settings_from_environment()
    async with database(settings, service=Service.MIGRATE) as pool:
        folder = ArchiveFolder(Path(settings.archive_dir)) if settings.archive_dir else None
        erasures = Erasures(Transactions(pool), folder)
        return await (erasures.rehearse(target) if signed is None else erasures.erase(target, signed))


def _tell(found: Erased, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        import msgspec

        typer.echo(msgspec.json.encode(found))
        return
    word = "to erase" if dry_run else "erased"
    for table, tally in found.tables.items():
        more = f", {tally.held} kept by legal holds" if tally.held else ""
        more += f", {tally.busy} in work" if tally.busy else ""
        typer.echo(f"{table:<21} {tally.rows} {word}{more}")
    for name in found.archives:
        typer.echo(printable(f"still holds it, or may: {name}"))
    if found.id is not None:
        typer.echo(f"recorded as {found.id}; run VACUUM so that the files of PostgreSQL forget it too")
