"""`mutt topics create|check`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ops.cli.exits import Exit

if TYPE_CHECKING:
    from streams.adapters.topics import TopicState

app = typer.Typer()

Json = Annotated[bool, typer.Option("--json", help="One JSON object.")]


@app.command()
def create(
    replication: Annotated[int, typer.Option(min=1, max=9, help="Replicas of each new topic.")] = 1,
    as_json: Json = False,
) -> None:
    """Create the topics that are missing; existing ones are left as they are, differences are shown."""
    from streams.adapters.topics import create_topics

    states = asyncio.run(create_topics(_bootstrap(), replication=replication))
    _show(states, as_json=as_json)


@app.command()
def check(as_json: Json = False) -> None:
    """Compare the topics with what mutt expects; exit 1 when one is missing or differs."""
    from streams.adapters.topics import check_topics

    states = asyncio.run(check_topics(_bootstrap()))
    _show(states, as_json=as_json)
    if any(not state.exists or state.differences for state in states):
        raise typer.Exit(Exit.CHECK_FAILED)


def _bootstrap() -> str:
    from ops.cli.connections import settings_from_environment

    return settings_from_environment().kafka_bootstrap


def _show(states: Sequence[TopicState], *, as_json: bool) -> None:
    if as_json:
        import msgspec

        ok = all(state.exists and not state.differences for state in states)
        typer.echo(msgspec.json.encode({"topics": states, "ok": ok}))
        return
    for state in states:
        word = "created" if state.created else "exists" if state.exists else "missing"
        notes = f" ({'; '.join(state.differences)})" if state.differences else ""
        typer.echo(f"{word:8} {state.name}  {state.partitions} partitions{notes}")
