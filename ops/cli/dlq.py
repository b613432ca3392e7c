"""`mutt dlq`: Dead letters: find the cause, inspect, edit, replay, set aside."""

from __future__ import annotations

import asyncio
import json
import sys
import uuid
from typing import Annotated

import typer

from ops.cli import dlq_desk, dlq_edit, dlq_replay
from ops.cli.connections import database, settings_from_environment
from ops.cli.exits import Exit, fail, printable
from ops.cli.letter_options import JsonOption, filtered, letter_id, shown_states
from ops.cli.letter_views import group_json, group_lines, history_json, history_lines, letter_lines, replay_json, short
from schemas.errors import Refused
from streams.adapters.dead_letters import DeadLetters
from streams.adapters.letter_groups import letter_groups
from streams.adapters.letter_log import LogEntry, history
from streams.adapters.replay_claims import Replay, Replays
from streams.core.letter_documents import letter_json, time_text
from streams.core.letter_groups import Group, GroupBy
from streams.core.replay import LetterFilter, StoredLetter, current_value

app = typer.Typer()
app.command("replay")(dlq_replay.replay)
app.command("edit")(dlq_edit.edit)
app.command("export")(dlq_desk.export)
app.command("park")(dlq_desk.park)
app.command("unpark")(dlq_desk.unpark)
app.command("purge")(dlq_desk.purge)


@app.command()
@filtered
def stats(
    chosen: LetterFilter,
    by: Annotated[GroupBy, typer.Option("--by", help="What to group them by.")] = GroupBy.REASON,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many groups, the largest.")] = 100,
    as_json: JsonOption = False,
) -> None:
    """Groups dead letters by cause: how many, since when, and one of them as an example.

    --by detail shows details without their numbers, ids and host names, so that one cause is one group.
    """
    groups = asyncio.run(_groups(shown_states(chosen), by))
    if as_json:
        body = {"by": by.value, "groups": [group_json(group) for group in groups[:limit]], "more": len(groups[limit:])}
        typer.echo(json.dumps(body))
    else:
        typer.echo("\n".join(group_lines(groups, by, limit)) if groups else "no dead letters")


@app.command("list")
@filtered
def list_letters(
    chosen: LetterFilter,
    limit: Annotated[int, typer.Option("--limit", help="At most so many, those that failed last.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """Lists dead letters, those that failed last first."""
    if not 1 <= limit <= 100_000:
        raise Refused(f"--limit {limit} is not between 1 and 100000")
    letters = asyncio.run(_newest(shown_states(chosen), limit))
    if as_json:
        typer.echo(json.dumps({"letters": [letter_json(stored) for stored in letters]}))
        return
    for stored in letters:
        letter = stored.letter
        where = f"{letter.topic}:{letter.partition}:{letter.offset}"
        typer.echo(
            f"{letter.id}  {time_text(letter.first_failed_at)}  {letter.reason:<16} {stored.state:<9} "
            + printable(f"{where}  {letter.hostname or '-'}  {letter.detail[:120]}".rstrip())
        )
    if not letters:
        typer.echo("no dead letters")


@app.command()
def show(
    letter: Annotated[str, typer.Argument(help="Id of the dead letter.")],
    raw: Annotated[
        bool, typer.Option("--raw", help="Only the value a replay would send, byte for byte; for a file, not a screen.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Shows one dead letter: why, where it comes from, its history and its bytes."""
    stored, entries = asyncio.run(_get(letter_id(letter)))
    if stored is None:
        fail(Exit.CHECK_FAILED, f"there is no dead letter {letter}")
    if raw:
        sys.stdout.buffer.write(current_value(stored) or b"")
        sys.stdout.buffer.flush()
        return
    if as_json:
        typer.echo(json.dumps(letter_json(stored, whole=True) | {"history": history_json(entries)}))
    else:
        typer.echo("\n".join([*letter_lines(stored), *history_lines(entries)]))


@app.command()
def replays(
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="At most so many, the newest.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """Lists replays, newest first: who, when, how many letters, and whether they are finished."""
    found = asyncio.run(_replays(limit))
    if as_json:
        typer.echo(json.dumps({"replays": [replay_json(one) for one in found]}))
        return
    for one in found:
        came_back = "" if one.came_back is None else f", {one.came_back} came back"
        facts = f"{one.selected} taken, {one.sent} sent, {one.refused} refused{came_back}"
        how = "finished" if one.finished_at else "NOT FINISHED"
        typer.echo(
            printable(
                f"{one.id}  {short(one.created_at)}  {how:<12}  {facts}  {one.actor}  {one.reason or ''}".rstrip()
            )
        )


async def _replays(limit: int) -> list[Replay]:
    async with database(settings_from_environment()) as pool:
        return await Replays(pool).recent(limit)


async def _groups(chosen: LetterFilter, by: GroupBy) -> list[Group]:
    async with database(settings_from_environment()) as pool:
        return await letter_groups(pool, chosen, by)


async def _newest(chosen: LetterFilter, limit: int) -> list[StoredLetter]:
    async with database(settings_from_environment()) as pool:
        return await DeadLetters(pool).newest(chosen, limit)


async def _get(letter: uuid.UUID) -> tuple[StoredLetter | None, list[LogEntry]]:
    async with database(settings_from_environment()) as pool:
        return await DeadLetters(pool).get(letter), await history(pool, letter)
