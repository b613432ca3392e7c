"""`mutt dlq export|park|unpark|purge`: letters out into a file, aside, back, and away."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from ops.cli.connections import database, settings_from_environment, user_name
from ops.cli.consent import NoteOption, YesOption, agree, on_terminal
from ops.cli.exits import Exit, fail
from ops.cli.letter_files import LetterFile, export_line
from ops.cli.letter_options import JsonOption, filtered, shown_states
from schemas.dead_letters import LetterState
from schemas.errors import Outdated, Refused
from streams.adapters.dead_letters import DeadLetters
from streams.adapters.letter_desk import PURGEABLE, Archive, LetterDesk
from streams.core.replay import LetterFilter


@filtered
def export(
    chosen: LetterFilter,
    output: Annotated[
        Path | None,
        typer.Option("--output", help="A new file, compressed if it ends in .gz; without it, standard output."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Writes dead letters as JSON Lines, bytes as base64, in the order of their origin.

    With --output the file is whole or not there, and --json tells what it holds; without it, the lines are the output.
    """
    found = shown_states(chosen)
    if output is None:
        asyncio.run(_write(found, lambda line: sys.stdout.write(line + "\n")))
        sys.stdout.flush()
        return
    with LetterFile(output) as file:
        asyncio.run(_keep(found, file))
        archive = file.seal()
    if as_json:
        typer.echo(json.dumps({"letters": file.letters, "file": archive.path, "sha256": archive.sha256}))
    else:
        typer.echo(f"wrote {file.letters} dead letters to {archive.path}")


@filtered
def park(chosen: LetterFilter, note: NoteOption = None, yes: YesOption = False, as_json: JsonOption = False) -> None:
    """Sets open letters aside: nothing replays a parked letter until it is unparked."""
    _check_narrow(chosen, "park")
    count = asyncio.run(_with_desk(note, lambda desk: desk.count(chosen, LetterState.OPEN)))
    agree(f"Park {count} dead letters?", yes=yes)
    _tell("parked", asyncio.run(_with_desk(note, lambda desk: desk.park(chosen))), as_json)


@filtered
def unpark(chosen: LetterFilter, note: NoteOption = None, yes: YesOption = False, as_json: JsonOption = False) -> None:
    """Opens parked letters again; the count of their replays begins anew."""
    _check_narrow(chosen, "unpark")
    count = asyncio.run(_with_desk(note, lambda desk: desk.count(chosen, LetterState.PARKED)))
    agree(f"Unpark {count} dead letters?", yes=yes)
    _tell("unparked", asyncio.run(_with_desk(note, lambda desk: desk.unpark(chosen))), as_json)


@filtered
def purge(
    chosen: LetterFilter,
    archive: Annotated[
        Path | None,
        typer.Option("--archive", help="A new file that takes the letters first; else one in this folder."),
    ] = None,
    count: Annotated[
        int | None, typer.Option("--count", help="How many letters you mean; asked for if not given. It must be right.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many it would be.")] = False,
    note: NoteOption = None,
    as_json: JsonOption = False,
) -> None:
    """Takes the bytes of dead letters out of the database for good, after they are archived to a file.

    Needs a filter and the number of letters, typed. Letters that are just being replayed are left alone. The rows stay
    without key, value, headers and host, so that the ledger adds up. What Kafka still holds goes with its retention.
    """
    _check_narrow(chosen, "purge")
    found = asyncio.run(_with_desk(note, lambda desk: desk.count(chosen, *PURGEABLE)))
    if dry_run or not found:
        typer.echo(json.dumps({"purged": 0, "letters": found}) if as_json else f"{found} dead letters; none was purged")
        return
    if (count if count is not None else _typed(found)) != found:
        fail(Exit.CHECK_FAILED, f"there are {found} letters, not {count if count is not None else 'what you typed'}")
    with LetterFile(archive or Path(f"mutt-dlq-purge-{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%S%fZ}.jsonl.gz")) as file:
        done: Archive = asyncio.run(_with_desk(note, lambda desk: desk.purge(chosen, found, file)))
    if as_json:
        typer.echo(json.dumps({"purged": found, "archive": done.path, "sha256": done.sha256}))
    else:
        typer.echo(f"purged {found} dead letters; they are in {done.path} (SHA-256 {done.sha256})")


async def _write(chosen: LetterFilter, write: Callable[[str], object]) -> None:
    async with database(settings_from_environment()) as pool:
        async for stored in DeadLetters(pool).candidates(chosen):
            write(export_line(stored))


async def _keep(chosen: LetterFilter, file: LetterFile) -> None:
    async with database(settings_from_environment()) as pool:
        async for stored in DeadLetters(pool).candidates(chosen):
            file.keep(stored)


async def _with_desk(note: str | None, act: Callable[[LetterDesk], Awaitable[Any]]) -> Any:
    async with database(settings_from_environment()) as pool:
        try:
            return await act(LetterDesk(pool, actor=f"cli:{user_name()}", note=note))
        except Outdated as outdated:
            fail(Exit.TRY_AGAIN, str(outdated))


def _check_narrow(chosen: LetterFilter, what: str) -> None:
    if chosen.is_empty:
        raise Refused(f"a {what} needs a filter: --reason, --stage, --host, --topic, --from, --to or --id")


def _typed(found: int) -> int:
    """The number the operator types. Raises Refused without a terminal."""
    if not on_terminal():
        raise Refused(f"without a terminal to ask on, a purge needs --count {found}")
    return int(typer.prompt(f"{found} dead letters will be purged. Type their number", type=int, err=True))


def _tell(done: str, count: int, as_json: bool) -> None:
    typer.echo(json.dumps({done: count}) if as_json else f"{done} {count} dead letters")
