"""`mutt ledger`: The books: what was done with every offset."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import json
import sys
from typing import Annotated, Any

import typer

from ops.cli.connections import brokers_of, database, settings_from_environment, user_name
from ops.cli.exits import Exit, fail, printable
from schemas.errors import Refused
from schemas.events import Disposition
from schemas.settings import Settings
from schemas.topics import INGEST
from streams.adapters.ledger import Ledger, PartitionBooks, Reset
from streams.adapters.ledger_check import Books, checked_books
from streams.adapters.offsets import first_timestamp_from, log_bounds
from streams.core.books import Fault, LedgerRange, Standing
from streams.core.letter_documents import time_text

app = typer.Typer()

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.command()
def show(as_json: JsonOption = False) -> None:
    """Shows where every ingest partition stands, and what became of its offsets."""
    books = asyncio.run(_show())
    if as_json:
        typer.echo(json.dumps({"partitions": [_books_json(row) for row in books]}))
        return
    for row in books:
        typer.echo(_books_line(row))
    if not books:
        typer.echo("no partition was read yet")


@app.command()
def verify(as_json: JsonOption = False) -> None:
    """Proves that every offset has exactly one disposition, from the tables and the brokers' offsets.

    Exits 1 naming topic, partition and the range of each fault.
    """
    books = asyncio.run(_verify(settings_from_environment()))
    ranges, standings, found = books.ranges, books.standings, books.faults
    totals = _totals(ranges, standings)
    if as_json:
        lines = [
            {"topic": row.topic, "partition": row.partition, "epoch": row.epoch, "next_offset": row.next_offset,
             "log_end": row.log_end, "committed": row.committed, "lag": row.lag, "halted": row.halted}
            for row in standings
        ]  # fmt: skip
        body = {"ok": not found, "totals": totals, "partitions": lines, "faults": [_fault_json(row) for row in found]}
        typer.echo(json.dumps(body))
    else:
        for fault in found:
            typer.echo(printable(str(fault)))
        typer.echo(_totals_line(totals))
        for row in standings:
            if row.halted is not None:
                typer.echo(printable(f"{row.topic}:{row.partition} is halted at {row.next_offset}: {row.halted}"))
    if found:
        fail(Exit.CHECK_FAILED, f"the books do not balance: {len(found)} ranges do not add up")


@app.command()
def reset(
    topic: Annotated[str, typer.Option("--topic", help="Ingest topic.")],
    partition: Annotated[int, typer.Option("--partition", help="Partition.")],
    to: Annotated[str, typer.Option("--to", help="An offset, earliest or latest.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; needed without a terminal.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Lets a halted partition go on from another offset, as a new epoch of its books.

    The way out after a topic was recreated or its log replaced or damaged. Recorded in the configuration audit.
    """
    if topic not in [known.name for known in INGEST]:
        raise Refused(f"--topic {topic!r} is no ingest topic of mutt")
    if to not in ("earliest", "latest") and not (to.isascii() and to.isdecimal() and len(to) < 19):
        raise Refused(f"--to {to!r} is neither an offset, nor earliest, nor latest")
    if not yes:
        if not sys.stdin.isatty():
            raise Refused("without a terminal to ask on, a reset needs --yes")
        if not typer.confirm(f"Start a new epoch of {topic}:{partition} at {to}?", err=True):
            fail(Exit.INTERRUPTED, "nothing was changed")
    before, done = asyncio.run(_reset(settings_from_environment(), topic, partition, to))
    if as_json:
        body = {"topic": topic, "partition": partition, "epoch": before.epoch + 1, "next_offset": done.next_offset}
        typer.echo(json.dumps(body | {"previous_next_offset": before.next_offset}))
        return
    typer.echo(
        f"{topic}:{partition} goes on at {done.next_offset} as epoch {before.epoch + 1}; it was at {before.next_offset}"
    )


async def _show() -> list[PartitionBooks]:
    async with database(settings_from_environment()) as pool:
        return await Ledger(pool).show()


async def _verify(settings: Settings) -> Books:
    async with database(settings) as pool:
        return await checked_books(pool, brokers_of(settings))


async def _reset(settings: Settings, topic: str, partition: int, to: str) -> tuple[Standing, Reset]:
    bounds = (await log_bounds(brokers_of(settings), [(topic, partition)])).get((topic, partition))
    if bounds is None:
        raise Refused(f"the brokers know no partition {topic}:{partition}")
    offset = {"earliest": bounds.begin, "latest": bounds.end}.get(to)
    offset = int(to) if offset is None else offset
    if not bounds.begin <= offset <= bounds.end:
        raise Refused(f"--to {offset} is outside the log, which holds [{bounds.begin}, {bounds.end})")
    async with database(settings) as pool:
        ledger = Ledger(pool)
        before = await ledger.partition(topic, partition)
        if before is None:
            raise Refused(f"{topic}:{partition} was never read: nothing to reset")
        since = await _since(settings, ledger, before, offset)
        done = Reset(topic, partition, offset, user_name(), since)
        if not await ledger.reset(done, before):
            fail(Exit.TRY_AGAIN, f"{topic}:{partition} moved meanwhile; a worker is processing it")
    return before, done


async def _since(settings: Settings, ledger: Ledger, before: Standing, offset: int) -> dt.datetime | None:
    """From which broker time on records belong to the new epoch; None where it overlaps no rows of the old one.

    Raises Refused when offsets that were processed lie in this very log: they would be processed twice.
    """
    newest = await ledger.newest_from(before.topic, before.partition, offset)
    if newest is None:
        return None
    newest_ms = round(newest.timestamp() * 1000)
    found = await first_timestamp_from(brokers_of(settings), (before.topic, before.partition), newest_ms)
    if found == newest_ms:
        raise Refused(
            f"offsets from {offset} on were processed from this very log; going back would process them twice"
            f" (the partition stands at {before.next_offset})"
        )
    return newest + dt.timedelta(milliseconds=1)


def _books_line(row: PartitionBooks) -> str:
    sums = " ".join(f"{name}={count}" for name, count in row.counts.items() if count)
    first = row.next_offset if row.first_offset is None else row.first_offset
    halted = f"  HALTED since {time_text(row.halted_at)}: {row.halted_reason}" if row.halted_at else ""
    return printable(
        f"{row.topic}:{row.partition} epoch {row.epoch} [{first}, {row.next_offset}) {row.ledger_rows} rows"
        f"  {sums or 'nothing yet'}  last {time_text(row.last_minute) or '-'}{halted}"
    )


def _books_json(row: PartitionBooks) -> dict[str, Any]:
    body = dataclasses.asdict(row)
    return body | {name: time_text(body[name]) for name in ("last_minute", "updated_at", "halted_at")}


def _fault_json(fault: Fault) -> dict[str, Any]:
    return dataclasses.asdict(fault)


def _totals(ranges: list[LedgerRange], standings: list[Standing]) -> dict[str, Any]:
    lags = [row.lag for row in standings if row.lag is not None]
    return {
        "partitions": len(standings),
        "ledger_rows": len(ranges),
        "offsets": sum(row.next_offset - row.first_offset for row in ranges),
        "dispositions": {name.value: sum(row.counts[name] for row in ranges) for name in Disposition},
        "missing": sum(row.missing for row in ranges),
        "audited": sum(row.audited for row in ranges),
        "alerts": sum(row.alerts for row in ranges),
        "archived": sum(row.archived_audit + row.archived_alerts + row.archived_letters for row in ranges),
        "halted": sum(row.halted is not None for row in standings),
        "lag": sum(lags),
    }


def _totals_line(totals: dict[str, Any]) -> str:
    sums = ", ".join(f"{count} {name}" for name, count in totals["dispositions"].items() if count)
    return (
        f"{totals['offsets']} offsets of {totals['partitions']} partitions: {sums or 'nothing yet'},"
        f" {totals['missing']} missing; {totals['audited']} audit rows, {totals['alerts']} alerts, lag {totals['lag']}"
        + (f"; {totals['archived']} rows are in archives" if totals["archived"] else "")
    )
