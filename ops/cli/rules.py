"""`mutt rules`: Import, export and test rules."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ops.cli.exits import Exit, fail, printable
from schemas.errors import Refused

if TYPE_CHECKING:
    from schemas.rule_files import FileRule, RulesFormat
    from schemas.rules import Handling, Rule, RuleSet
    from streams.adapters.rules import Imported

app = typer.Typer()

JsonOption = Annotated[bool, typer.Option("--json", help="JSON objects instead of text, one a line.")]
HandlingOption = Annotated[
    str | None,
    typer.Option(
        "--default-handling",
        metavar="HANDLING",
        help="For rules that name none, on all hosts. Without it: Ticket_only, and Log_only on development hosts.",
    ),
]
FormatOption = Annotated[str | None, typer.Option("--format", metavar="jsonl|yaml", help="How the file is written.")]


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="Rules as JSON Lines or YAML.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; needed without a terminal.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be added.")] = False,
    actor: Annotated[str | None, typer.Option("--actor", help="Who does this, for the record.")] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Why, for the record.")] = None,
    default_handling: HandlingOption = None,
    format: FormatOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add the rules of a file that are not there yet: all of them, or none when one is bad.

    The database numbers them in the order of the file. Importing the same file again adds nothing.
    """
    from ops.cli.connections import user_name

    rules = [read.rule for read in checked_rules(file, default_handling, format)]
    if not (dry_run or yes or _agreed(len(rules))):
        fail(Exit.INTERRUPTED, "nothing was imported")
    done = asyncio.run(_import(rules, actor or f"cli:{user_name()}", reason, dry_run))
    if as_json:
        typer.echo(json.dumps({"dry_run": dry_run, "added": done.added, "unchanged": done.unchanged}))
    else:
        typer.echo(f"{done.added} rules {'to add' if dry_run else 'added'}, {done.unchanged} there already")


@app.command()
def export(
    format: Annotated[str, typer.Option("--format", metavar="jsonl|yaml", help="How to write them.")] = "jsonl",
) -> None:
    """Print every rule that is not retired, best rank first, as a file that `mutt rules import` reads."""
    from schemas.rule_files import RulesFormat, write_rules

    chosen = _format(format) or RulesFormat.JSONL
    for piece in write_rules(asyncio.run(_export()), chosen):
        sys.stdout.write(piece)
    sys.stdout.flush()


@app.command("test")
def try_(
    rules: Annotated[Path, typer.Option("--rules", help="Rules as JSON Lines or YAML.")],
    events: Annotated[
        str | None, typer.Option("--events", metavar="FILE|-", help="Events as JSON Lines; - is standard input.")
    ] = None,
    default_handling: HandlingOption = None,
    format: FormatOption = None,
    development_host: Annotated[
        list[str] | None, typer.Option("--development-host", metavar="HOST", help="Uses dev_handling. Repeatable.")
    ] = None,
    team: Annotated[
        list[str] | None, typer.Option("--team", metavar="HOST=TEAM", help="The team of a host. Repeatable.")
    ] = None,
    default_team: Annotated[str | None, typer.Option("--default-team", help="Team of hosts without one.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Say what rules would decide over events. Needs no server.

    Prints a line for each event: disposition, rule, handling, team, alert severity. A rule's id is the one in the file,
    else its place there, counted from 1. An event that cannot be read is rejected, with the reason, and the next one
    is taken. Without --events the rules are only checked.
    """
    from ops.cli.decisions import DecisionWriter, event_lines

    found = checked_rules(rules, default_handling, format)
    rule_set = _rule_set([read.rule for read in found], development_host or [], team or [], default_team)
    _warn(found)
    if events is None:
        typer.echo(json.dumps({"rules": len(found)}) if as_json else f"{len(found)} rules, nothing wrong with them")
        return
    with event_lines(events) as lines:
        DecisionWriter(rule_set, sys.stdout, as_json=as_json).write(lines)
    sys.stdout.flush()


def checked_rules(file: Path, default_handling: str | None, format: str | None) -> list[FileRule]:
    """The rules of a file, each valid and its pattern accepted. Raises RuleRefused naming lines."""
    from schemas.rule_files import DEFAULT_DEV, DEFAULT_PROD, RulesFormat, read_rules, refuse_lines
    from streams.adapters.patterns import check_patterns

    chosen = _format(format) or {".yaml": RulesFormat.YAML, ".yml": RulesFormat.YAML, ".jsonl": RulesFormat.JSONL}.get(
        file.suffix.lower()
    )
    handling = _handling(default_handling)
    found = read_rules(
        file.read_bytes(), chosen, default_prod=handling or DEFAULT_PROD, default_dev=handling or DEFAULT_DEV
    )
    problems = check_patterns([read.rule for read in found])
    refuse_lines((found[problem.rule].line, f"match_string: {problem.reason}") for problem in problems)
    return found


def _format(text: str | None) -> RulesFormat | None:
    from schemas.rule_files import RulesFormat

    if text is not None and text not in tuple(RulesFormat):
        raise Refused(f"--format {text!r} is neither jsonl nor yaml")
    return RulesFormat(text) if text is not None else None


def _handling(text: str | None) -> Handling | None:
    from schemas.rules import Handling

    known = {handling.value.lower(): handling for handling in Handling} | {"suppress": Handling.IGNORE}
    if text is not None and text.strip().lower() not in known:
        raise Refused(f"--default-handling {text!r} is none of {', '.join(Handling)}")
    return known[text.strip().lower()] if text is not None else None


def _rule_set(rules: list[Rule], development: list[str], teams: list[str], default_team: str | None) -> RuleSet:
    from schemas.config_values import snapshot
    from schemas.rules import RuleSet

    if wrong := [pair for pair in teams if not all(pair.partition("="))]:
        raise Refused([f"--team {pair!r} is not HOST=TEAM" for pair in wrong])
    return RuleSet(
        version=0,
        digest="",
        rules=tuple(rules),
        development_hosts=frozenset(development),
        device_teams=dict(pair.split("=", 1) for pair in teams),
        config=snapshot({"unhandled_default_team": default_team} if default_team is not None else {}),
    )


def _warn(found: list[FileRule]) -> None:
    from streams.adapters.patterns import pattern_warnings

    for read in found:
        for warning in pattern_warnings(read.rule):
            typer.echo(f"mutt: line {read.line}: warning: {printable(warning)}", err=True)


def _agreed(count: int) -> bool:
    if sys.stdin is None or not sys.stdin.isatty():
        raise Refused("without a terminal to ask on, an import needs --yes (or --dry-run to only look)")
    return typer.confirm(f"Import {count} rules?", err=True)


async def _import(rules: list[Rule], actor: str, reason: str | None, dry_run: bool) -> Imported:
    from ops.cli.connections import database, settings_from_environment
    from streams.adapters.rules import Imported, export_rules, import_rules, missing
    from streams.core.authors import Author

    async with database(settings_from_environment(), size=1) as pool, pool.acquire() as connection:
        if not dry_run:
            return await import_rules(connection, rules, Author(actor, reason))
        added = len(missing(rules, await export_rules(connection)))
        return Imported(added, len(rules) - added)


async def _export() -> list[Rule]:
    from ops.cli.connections import database, settings_from_environment
    from streams.adapters.rules import export_rules

    async with database(settings_from_environment(), size=1) as pool, pool.acquire() as connection:
        return await export_rules(connection)
