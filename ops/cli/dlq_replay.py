"""`mutt dlq replay`: sends dead letters again, byte for byte, to where they came from."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Annotated

import asyncpg
import msgspec
import typer

from ops.cli.connections import brokers_of, database, settings_from_environment, user_name
from ops.cli.consent import NoteOption, YesOption, on_terminal
from ops.cli.dlq_rehearse import Plan, print_rehearsal, rehearse
from ops.cli.exits import Exit, fail
from ops.cli.letter_options import JsonOption, filtered, id_chunks, letter_id
from ops.cli.progress import progress
from schemas.dead_letters import LetterState
from schemas.errors import BrokerUnavailable, Refused
from streams.adapters.exact_producer import started_producer
from streams.adapters.locks import lock_key, try_lock
from streams.adapters.replay_claims import Replay, Replays
from streams.adapters.replay_jobs import REPLAY_LOCK
from streams.adapters.replays import Outcome, Pace, Replayer
from streams.core.replay import LetterFilter


@filtered
def replay(
    chosen: LetterFilter,
    ids_file: Annotated[
        Path | None,
        typer.Option("--ids", help="Only the letters whose ids stand in this file, one a line; - reads stdin."),
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", help="Send at most so many.")] = None,
    rate: Annotated[float | None, typer.Option("--rate", help="Send at most so many a second.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be sent.")] = False,
    yes: YesOption = False,
    resume: Annotated[str | None, typer.Option("--resume", help="Finish the replay of this id.")] = None,
    note: NoteOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sends dead letters again, byte for byte, to the topic and partition they came from.

    Only open letters whose reason allows it are sent; the others are counted, with why. Every replay is recorded.
    """
    plan = Plan(
        selections=_selections(chosen, ids_file, resume),
        pace=_pace(rate, limit),
        resume=letter_id(resume) if resume is not None else None,
        reason=note,
    )
    if not dry_run and not yes and not _agreed(plan):
        fail(Exit.INTERRUPTED, "nothing was sent")
    if dry_run:
        print_rehearsal(asyncio.run(rehearse(plan)), as_json=as_json)
    else:
        _print_outcome(*asyncio.run(_perform(plan)), as_json)


def _selections(
    chosen: LetterFilter, ids_file: Path | None, resume: str | None
) -> Callable[[], Iterator[LetterFilter]]:
    """The filters to replay, one after the other. Raises Refused when they would mean every letter there is."""
    if chosen.states not in ((), (LetterState.OPEN,)):
        raise Refused("only open letters can be replayed; a replay that stopped goes on with --resume")
    filtered = not chosen.is_empty
    if resume is not None:
        if filtered or ids_file is not None:
            raise Refused("--resume takes no filter: the replay has its own")
        return lambda: iter(())
    if ids_file is not None:
        if filtered:
            raise Refused("--ids takes no other filter")
        return lambda: id_chunks(ids_file)
    if not filtered:
        raise Refused("a replay needs a filter: --reason, --stage, --host, --topic, --from, --to, --id or --ids")
    opened = msgspec.structs.replace(chosen, states=(LetterState.OPEN,))
    return lambda: iter((opened,))


def _pace(rate: float | None, limit: int | None) -> Pace:
    if rate is not None and not 0.01 <= rate <= 1_000_000:
        raise Refused(f"--rate {rate} is not between 0.01 and 1000000 a second")
    if limit is not None and limit < 1:
        raise Refused(f"--limit {limit} is less than 1")
    return Pace(per_second=rate, limit=limit)


def _agreed(plan: Plan) -> bool:
    if not on_terminal():
        raise Refused("without a terminal to ask on, a replay needs --yes (or --dry-run to only look)")
    if plan.resume is not None:
        return typer.confirm(f"Resume replay {plan.resume}?", err=True)
    found = asyncio.run(rehearse(plan))
    return typer.confirm(f"Send {found.would_send} dead letters again?", err=True)


async def _perform(plan: Plan) -> tuple[list[uuid.UUID], Outcome]:
    settings = settings_from_environment()
    done: list[uuid.UUID] = []
    async with database(settings, size=3) as pool:
        replays = Replays(pool)
        again = await replays.replay(plan.resume) if plan.resume is not None else None
        async with started_producer(brokers_of(settings)) as producer:
            replayer = Replayer(replays, producer, plan.pace)
            async for record in _replays(replays, plan, again):
                done.append(record.id)
                for letter, why in await replays.not_open(record.chosen.ids if again is None else ()):
                    replayer.outcome.refuse(letter, why)
                await _run(pool, replayer, record, resumed=again is not None, limit=plan.pace.limit)
        return done, replayer.outcome


async def _run(pool: asyncpg.Pool, replayer: Replayer, record: Replay, *, resumed: bool, limit: int | None) -> None:
    """One replay, by one operator at a time; interrupted, it says how to go on."""
    replays, go_on = Replays(pool), f"go on with: mutt dlq replay --resume {record.id}"
    async with try_lock(pool, lock_key(REPLAY_LOCK, record.id)) as ours:
        if not ours:
            fail(Exit.TRY_AGAIN, f"replay {record.id} is being run just now, by somebody else")
        total = await replays.count(record, resumed=resumed)
        try:
            with progress("replaying", total if limit is None else min(total, limit)) as advance:
                await replayer.perform(record, resumed=resumed, on_progress=advance)
        except BrokerUnavailable as error:
            raise BrokerUnavailable(f"{error}; {go_on}") from error
        except asyncio.CancelledError:  # Ctrl-C: the command ends here, in one line
            fail(Exit.INTERRUPTED, f"stopped; {go_on}")


async def _replays(replays: Replays, plan: Plan, again: Replay | None) -> AsyncIterator[Replay]:
    if again is not None:
        yield again
    for chosen in plan.selections():
        yield await replays.begin(uuid.uuid4(), f"cli:{user_name()}", plan.reason, chosen)


def _print_outcome(replays: list[uuid.UUID], outcome: Outcome, as_json: bool) -> None:
    if as_json:
        body = {
            "dry_run": False,
            "replays": [str(replay_id) for replay_id in replays],
            "sent": outcome.sent,
            "refused": {why.value: count for why, count in outcome.refused.items()},
            "refused_letters": [
                {"id": str(letter), "refused": why.value, "why": why.means}
                for why, letters in outcome.examples.items()
                for letter in letters
            ],
        }
        typer.echo(json.dumps(body))
        return
    typer.echo(f"sent {outcome.sent} dead letters again" + (f" (replay {replays[-1]})" if replays else ""))
    if not outcome.sent and not outcome.refused:
        typer.echo("no open letter fits; those of other states are listed with: mutt dlq list --state")
    for why, count in outcome.refused.items():
        typer.echo(f"refused {count}: {why} ({why.means})")
        for letter in outcome.examples[why]:
            typer.echo(f"  {letter}")
        if count > len(outcome.examples[why]):
            typer.echo(f"  … and {count - len(outcome.examples[why])} more")
