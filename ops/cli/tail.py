"""`muttdev tail`: what passes through the stack, as it passes."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.cli.awaited import awaited
from ops.cli.exits import printable, printable_json

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Stream(StrEnum):
    """What can be watched."""

    INGEST = "ingest"
    DECISIONS = "decisions"
    ALERTS = "alerts"
    DLQ = "dlq"


def tail(
    stream: Annotated[Stream, typer.Argument(help="Records as they came, decisions over them, alerts, dead letters.")],
    last: Annotated[int, typer.Option("--last", min=0, max=10_000, help="Begin with so many that are there.")] = 10,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="End after so many; without, at Ctrl-C.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Show what passes. Decisions are those that are audited, each with the rule that made it."""
    from ops.cli.stack import enter_stack

    enter_stack()
    awaited(_show(stream, last, limit, as_json=as_json))


async def _show(stream: Stream, last: int, limit: int | None, *, as_json: bool) -> None:
    """Raises aiokafka's and asyncpg's errors."""
    import sys

    shown = 0
    async for row in _rows(stream, last):
        typer.echo(printable_json(row) if as_json else printable(_line(row)))
        sys.stdout.flush()
        shown += 1
        if shown == limit:
            return


def _rows(stream: Stream, last: int) -> AsyncIterator[Mapping[str, Any]]:
    from ops.cli.connections import settings_from_environment
    from ops.tails.decisions import decisions
    from ops.tails.records import records
    from schemas.topics import ALERTS, DLQ, INGEST

    settings = settings_from_environment()
    topics = {Stream.INGEST: INGEST, Stream.ALERTS: (ALERTS,), Stream.DLQ: (DLQ,)}
    if stream is Stream.DECISIONS:
        return decisions(settings, last)
    return records(settings.kafka_bootstrap, [topic.name for topic in topics[stream]], last)


def _line(row: Mapping[str, Any]) -> str:
    """The place of the event, then what is said of it."""
    facts = dict(row)
    head = [str(facts.pop("at")), str(facts.pop("event"))]
    return "  ".join([*head, *(f"{name}={value}" for name, value in facts.items() if value not in (None, ""))])
