"""What the commands of `mutt retention` print."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import typer

from ops.cli.exits import Exit, fail, printable

if TYPE_CHECKING:
    from streams.adapters.retention_plan import Plan
    from streams.core.retention import Action
    from streams.core.retention_health import Facts


def tell_plan(planned: Plan, topics: list[str], *, as_json: bool) -> None:
    problems = [*planned.problems, *topics]
    if as_json:
        body = {"actions": actions_json(planned.actions), "problems": problems, "warnings": planned.warnings}
        typer.echo(json.dumps(body | {"ok": not problems}))
    else:
        say([*planned.actions, *(f"look at  {line}" for line in planned.warnings)])
        if not planned.actions:
            typer.echo("nothing to do")
    judge(problems)


def actions_json(actions: Sequence[Action]) -> list[dict[str, Any]]:
    return [dataclasses.asdict(action) for action in actions]


def say(lines: Iterable[object]) -> None:
    for line in lines:
        typer.echo(printable(str(line)))


def judge(problems: Sequence[str]) -> None:
    """Ends the command with 1 where there are any, each on a line of standard error."""
    if problems:
        for problem in problems[:-1]:
            typer.echo(printable(f"mutt: {problem}"), err=True)
        fail(Exit.CHECK_FAILED, problems[-1])


def facts_json(facts: Facts) -> dict[str, Any]:
    from streams.core.letter_documents import time_text

    body = dataclasses.asdict(facts)
    return body | {name: time_text(body[name]) for name in ("last_run", "last_success")}


def facts_lines(facts: Facts) -> list[str]:
    from streams.core.letter_documents import time_text

    took = "" if facts.last_seconds is None else f", took {facts.last_seconds:.1f} s"
    return [
        f"last run      {time_text(facts.last_run) or 'none'}  {facts.last_outcome or '-'}{took}",
        f"last success  {time_text(facts.last_success) or 'none'}",
        f"partitions    {facts.months_ahead} months ahead, {facts.expired_parts} past their time",
        f"default       {facts.strays} rows in audit_default",
        f"unfinished    {facts.unfinished} archives",
        f"legal holds   {facts.holds} in force",
        *(
            f"archived      {kind}: {each.rows} rows in {each.archives} archives, {each.bytes} bytes"
            for kind, each in facts.totals.items()
        ),
    ]
