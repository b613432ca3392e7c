"""The dry run of a replay: what would be sent, what the rules of now would decide over it, and what is refused."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import msgspec
import typer

from ops.cli.connections import database, settings_from_environment
from ops.cli.exits import printable
from ops.cli.letter_views import verdict_text
from schemas.dead_letters import LetterState
from streams.adapters.dead_letters import DeadLetters
from streams.adapters.knowledge import current_knowledge
from streams.adapters.replay_claims import Replay, Replays
from streams.adapters.replays import Pace
from streams.core.rehearsal import Rehearsal
from streams.core.replay import LetterFilter, StoredLetter


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator asked for."""

    selections: Callable[[], Iterator[LetterFilter]]
    pace: Pace
    resume: uuid.UUID | None = None
    reason: str | None = None


async def rehearse(plan: Plan) -> Rehearsal:
    """Goes through every letter the plan names. Touches nothing."""
    async with database(settings_from_environment(), size=3) as pool:
        replays = Replays(pool)
        found = Rehearsal(await current_knowledge(pool), await replays.policy(), plan.pace.limit)
        async for chosen, stored in _candidates(DeadLetters(pool), replays, plan):
            found.add(stored, chosen)
        for chosen in plan.selections():
            for letter, why in await replays.not_open(chosen.ids):
                found.refuse({"id": str(letter)}, why)
    return found


async def _candidates(
    letters: DeadLetters, replays: Replays, plan: Plan
) -> AsyncIterator[tuple[LetterFilter | None, StoredLetter]]:
    if plan.resume is not None:
        replayed = await replays.replay(plan.resume)
        async for stored in replays.held(replayed.id):
            yield None, stored
        async for stored in letters.candidates(_still_open(replayed)):
            yield replayed.chosen, stored
    for chosen in plan.selections():
        async for stored in letters.candidates(chosen):
            yield chosen, stored


def _still_open(replayed: Replay) -> LetterFilter:
    until = min(replayed.chosen.until or replayed.created_at, replayed.created_at)
    return msgspec.structs.replace(replayed.chosen, states=(LetterState.OPEN,), until=until)


def print_rehearsal(found: Rehearsal, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(found.to_json()))
        return
    typer.echo(f"would send {found.would_send} dead letters")
    for summary, count in found.would.most_common():
        typer.echo(f"  {count:>7}  {summary}")
    for letter in found.letters:
        typer.echo(f"{letter['id']}  {letter['reason']:<16} " + printable(f"{letter['event_id']}  {_shown(letter)}"))
    if found.would_send > len(found.letters):
        typer.echo(f"… and {found.would_send - len(found.letters)} more")
    for why, count in found.refused.items():
        typer.echo(f"refused {count}: {why} ({why.means})")
    for letter in found.refused_letters:
        where = f"{letter.get('reason', '-'):<16} {letter.get('event_id', '-')}"
        typer.echo(printable(f"{letter['id']}  {where}  {letter['refused']}"))


def _shown(letter: dict[str, Any]) -> str:
    return verdict_text(letter["verdict"])
