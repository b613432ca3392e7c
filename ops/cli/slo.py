"""`mutt slo`: Service levels: where every objective stands, and declared maintenance."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.cli.config import Actor, Json, author
from ops.cli.durations import instant
from ops.cli.exits import Exit, fail, printable

if TYPE_CHECKING:
    from streams.adapters.maintenance import PostgresMaintenance
    from streams.core.authors import Author
    from streams.core.slo import Standing
    from streams.core.slo_reads import Draft
    from streams.core.slo_windows import Maintenance

app = typer.Typer()
maintenance = typer.Typer(
    help="Time in which failures do not count against the objectives; every change is recorded.", no_args_is_help=True
)
app.add_typer(maintenance, name="maintenance")

Component = Annotated[str, typer.Argument(metavar="COMPONENT", help="all, or a component: see `mutt slo show`.")]
Why = Annotated[str, typer.Option("--reason", help="Why, for the record and for whoever looks at the objectives.")]
Since = Annotated[
    int, typer.Option("--days", min=1, max=730, help="Windows that ended within so many days, and later.")
]


@app.command()
def show(as_json: Json = False) -> None:
    """Show every objective: what it came to over its window, the budget left, and how fast it burns."""
    from streams.core.slo import shown_duration

    standings = asyncio.run(_standings())
    if as_json:
        typer.echo(json.dumps({"objectives": [_body(standing) for standing in standings]}))
        return
    for standing in standings:
        objective, budget = standing.objective, standing.budget
        reached = "no data" if budget.availability is None else f"{budget.availability:.5%}"
        typer.echo(
            f"{objective.name:<20} {objective.component:<14} {budget.state:<8} {reached:>10} of {objective.target:.2%}"
            f" over {shown_duration(objective.window)}  budget left {budget.remaining:.1%}"
        )
        for burn in standing.burns:
            if burn.firing:
                typer.echo(
                    f"  burns {burn.long:.1f} times as fast as the budget allows over {shown_duration(burn.rule.long)}"
                )


@app.command()
def rules(
    runbook: Annotated[
        str | None, typer.Option("--runbook", metavar="URL", help="Where your people read docs/RUNBOOK.md.")
    ] = None,
    pace: Annotated[
        float, typer.Option("--pace", min=1, max=3600, help="Shorten every window of the burn rates, for a trial.")
    ] = 1.0,
) -> None:
    """Print recording and alerting rules for Prometheus, as ops/prometheus/mutt.rules.yml keeps them."""
    from ops.prometheus.rules import RUNBOOK, rules_file
    from schemas.slo import objectives

    typer.echo(rules_file(objectives(), runbook=runbook or RUNBOOK, pace=pace), nl=False)


@maintenance.command()
def add(
    component: Component,
    reason: Why,
    start: Annotated[str | None, typer.Option("--from", help="RFC 3339 with zone; now if not said.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="RFC 3339 with zone.")] = None,
    minutes: Annotated[
        int | None, typer.Option("--for", min=1, max=43200, help="Minutes, in the place of --to.")
    ] = None,
    actor: Actor = None,
    as_json: Json = False,
) -> None:
    """Declare maintenance, before it begins or afterwards. Every minute it touches is left out."""
    from schemas.errors import MaintenanceRefused
    from streams.core.maintenance import component_of
    from streams.core.slo_reads import Draft

    if (until is None) == (minutes is None):
        raise MaintenanceRefused("say --to or --for, one of them")
    starts_at = instant("--from", start) if start else dt.datetime.now(dt.UTC)
    ends_at = instant("--to", until) if until else starts_at + dt.timedelta(minutes=minutes or 0)
    draft = Draft(component_of(component), starts_at, ends_at, reason)
    _tell(asyncio.run(_declare(draft, author(actor, reason))), as_json=as_json)


@maintenance.command("list")
def list_windows(days: Since = 30, as_json: Json = False) -> None:
    """Show what was declared, the last to start first."""
    since = dt.datetime.now(dt.UTC) - dt.timedelta(days=days)
    found = asyncio.run(_since(since))
    if as_json:
        typer.echo(json.dumps({"windows": [_window(each) for each in found]}))
        return
    for each in found:
        typer.echo(printable(_line(each)))
    if not found:
        typer.echo("nothing was declared")


@maintenance.command()
def end(
    number: Annotated[int, typer.Argument(metavar="ID", min=1, help="As `mutt slo maintenance list` shows it.")],
    reason: Annotated[str | None, typer.Option("--reason", help="Why, for the record.")] = None,
    actor: Actor = None,
    as_json: Json = False,
) -> None:
    """End a window now. One that has not begun is taken back."""
    ended = asyncio.run(_end(number, author(actor, reason)))
    if ended is None:
        fail(Exit.CHECK_FAILED, f"there is no maintenance window {number}")
    _tell(ended, as_json=as_json)


def _tell(window: Maintenance, *, as_json: bool) -> None:
    typer.echo(json.dumps(_window(window)) if as_json else printable(_line(window)))


def _line(each: Maintenance) -> str:
    from streams.core.letter_documents import time_text

    whose = each.component or "all"
    return (
        f"{each.id}  {whose}  {time_text(each.starts_at)} to {time_text(each.ends_at)}"
        f"  by {each.declared_by}: {each.reason}"
    )


def _window(each: Maintenance) -> dict[str, Any]:
    import msgspec

    found: dict[str, Any] = msgspec.to_builtins(each)
    return found


def _body(standing: Standing) -> dict[str, Any]:
    objective, budget, left = standing.objective, standing.budget, standing.exhausted_in
    return {
        "name": objective.name,
        "component": objective.component.value,
        "target": objective.target,
        "good": standing.indicator.good,
        "total": standing.indicator.total,
        "availability": budget.availability,
        "burn_rate": budget.burn_rate,
        "error_budget_remaining": budget.remaining,
        "state": budget.state.value,
        "exhausted_in_seconds": None if left is None else round(left.total_seconds()),
    }


async def _standings() -> list[Standing]:
    from ops.cli.connections import database, settings_from_environment
    from schemas.slo import objectives
    from streams.adapters.slo import PostgresSlo
    from streams.adapters.transactions import Transactions
    from streams.core.slo import stand, windows_of

    asked = {name: windows_of(objective) for name, objective in objectives().items()}
    async with database(settings_from_environment()) as pool:
        levels = await PostgresSlo(Transactions(pool)).levels(asked, dt.datetime.now(dt.UTC))
    return [stand(objective, levels.sums[name]) for name, objective in objectives().items()]


@asynccontextmanager
async def _store() -> AsyncIterator[PostgresMaintenance]:
    from ops.cli.connections import database, settings_from_environment
    from streams.adapters.maintenance import PostgresMaintenance
    from streams.adapters.transactions import Transactions

    async with database(settings_from_environment()) as pool:
        yield PostgresMaintenance(Transactions(pool))


async def _declare(draft: Draft, author: Author) -> Maintenance:
    async with _store() as store:
        return await store.declare(draft, author)


async def _since(since: dt.datetime) -> tuple[Maintenance, ...]:
    async with _store() as store:
        return await store.since(since)


async def _end(number: int, author: Author) -> Maintenance | None:
    async with _store() as store:
        return await store.end(number, dt.datetime.now(dt.UTC), author)
