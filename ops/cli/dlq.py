"""`mutt dlq`: Dead letters: list, inspect and replay."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import Annotated

import typer

from ops.cli import dlq_replay
from ops.cli.connections import database, settings_from_environment
from ops.cli.exits import Exit, fail, printable
from ops.cli.letter_options import (
    FromOption,
    HostOption,
    IdOption,
    JsonOption,
    ReasonOption,
    StageOption,
    StateOption,
    ToOption,
    TopicOption,
    letter_filter,
    letter_id,
)
from ops.cli.letter_views import letter_json, letter_lines, time_text
from schemas.errors import Refused
from streams.adapters.dead_letters import Count, DeadLetters
from streams.core.replay import LetterFilter, StoredLetter

app = typer.Typer(help="Dead letters: list, inspect and replay.", no_args_is_help=True)
app.command("replay")(dlq_replay.replay)


@app.command()
def stats(
    reason: ReasonOption = None,
    stage: StageOption = None,
    host: HostOption = None,
    topic: TopicOption = None,
    since: FromOption = None,
    until: ToOption = None,
    ids: IdOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Counts dead letters by reason and state."""
    chosen = letter_filter(
        reason=reason, stage=stage, host=host, topic=topic, since=since, until=until, ids=ids, state=state
    )
    counts = asyncio.run(_counts(chosen))
    if as_json:
        typer.echo(json.dumps({"counts": [_count_json(count) for count in counts]}))
        return
    if not counts:
        typer.echo("no dead letters")
        return
    typer.echo(f"{'reason':<17} {'stage':<8} {'state':<10} {'letters':>9}  oldest")
    for count in counts:
        typer.echo(
            f"{count.reason:<17} {count.stage:<8} {count.state:<10} {count.letters:>9}  {time_text(count.oldest)}"
        )


@app.command("list")
def list_letters(
    reason: ReasonOption = None,
    stage: StageOption = None,
    host: HostOption = None,
    topic: TopicOption = None,
    since: FromOption = None,
    until: ToOption = None,
    ids: IdOption = None,
    state: StateOption = None,
    limit: Annotated[int, typer.Option("--limit", help="At most so many, those that failed last.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """Lists dead letters, those that failed last first."""
    chosen = letter_filter(
        reason=reason, stage=stage, host=host, topic=topic, since=since, until=until, ids=ids, state=state
    )
    if not 1 <= limit <= 100_000:
        raise Refused(f"--limit {limit} is not between 1 and 100000")
    letters = asyncio.run(_newest(chosen, limit))
    if as_json:
        typer.echo(json.dumps({"letters": [letter_json(stored) for stored in letters]}))
        return
    for stored in letters:
        letter = stored.letter
        where = f"{letter.topic}:{letter.partition}:{letter.offset}"
        typer.echo(
            f"{letter.id}  {time_text(letter.first_failed_at)}  {letter.reason:<16} {stored.state:<9} "
            + printable(f"{where}  {letter.hostname or '-'}  {letter.detail[:120]}")
        )


@app.command()
def show(
    letter: Annotated[str, typer.Argument(help="Id of the dead letter.")],
    as_json: JsonOption = False,
) -> None:
    """Shows one dead letter: why, where it comes from, its history and its bytes."""
    stored = asyncio.run(_get(letter_id(letter)))
    if stored is None:
        fail(Exit.CHECK_FAILED, f"there is no dead letter {letter}")
    typer.echo(json.dumps(letter_json(stored, whole=True)) if as_json else "\n".join(letter_lines(stored)))


async def _counts(chosen: LetterFilter) -> list[Count]:
    async with database(settings_from_environment()) as pool:
        return await DeadLetters(pool).counts(chosen)


async def _newest(chosen: LetterFilter, limit: int) -> list[StoredLetter]:
    async with database(settings_from_environment()) as pool:
        return await DeadLetters(pool).newest(chosen, limit)


async def _get(letter: uuid.UUID) -> StoredLetter | None:
    async with database(settings_from_environment()) as pool:
        return await DeadLetters(pool).get(letter)


def _count_json(count: Count) -> dict[str, object]:
    return {
        "reason": count.reason,
        "stage": count.stage,
        "state": count.state,
        "letters": count.letters,
        "oldest": time_text(count.oldest),
        "newest": time_text(count.newest),
    }
