"""`mutt import-v25`: rules, development hosts and teams of MUTT 2.5, from a dump or CSV, with a report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.cli.awaited import awaited
from ops.cli.consent import YesOption, agree
from ops.cli.exits import Exit, fail, printable
from schemas.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from schemas.rules import Handling
    from schemas.v25_files import OldRow
    from streams.adapters.v25_import import Added
    from streams.core.authors import Author
    from streams.core.v25 import Judged


def import_v25(
    files: Annotated[
        list[Path], typer.Argument(help="Plain dumps (COPY, or INSERT with columns), or CSV with a header.")
    ],
    handling: Annotated[
        list[str] | None,
        typer.Option("--handling", metavar="OLD=NEW", help="What a free text of 2.5 stands for. Repeatable."),
    ] = None,
    skip_refused: Annotated[
        bool, typer.Option("--skip-refused", help="Import the rest, where some rows are refused.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only report; nothing is changed.")] = False,
    yes: YesOption = False,
    actor: Annotated[str | None, typer.Option("--actor", help="Who does this, for the record.")] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Why, for the record.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Import rules, development hosts and teams of MUTT 2.5, and report what was taken, changed or refused, and why.

    All of them or, where one is refused, none, unless --skip-refused says otherwise. What is there already stays as it
    is, so the same files can be imported again.
    """
    from ops.cli.connections import user_name
    from streams.core.authors import Author
    from streams.core.v25 import Fate

    judged = _judged(files, _handlings(handling or ()))
    blocked = not skip_refused and any(one.fate is Fate.REFUSED for one in judged)
    if not (dry_run or blocked):
        good = sum(one.fate is not Fate.REFUSED for one in judged)
        agree(f"Import {good} rows?", yes=yes, otherwise="nothing was imported")
    author = None if dry_run or blocked else Author(actor or f"cli:{user_name()}", reason)
    added, judged = awaited(_import(judged, author, skip_refused=skip_refused))
    refused = sum(one.fate is Fate.REFUSED for one in judged)
    if as_json:
        body = {"dry_run": dry_run, "imported": added is not None and author is not None, "ok": not refused}
        rows = [_row(one) for one in judged]
        typer.echo(json.dumps(body | {"added": added and added._asdict(), "counts": _counts(judged), "rows": rows}))
    else:
        typer.echo("\n".join(_lines(judged, added, changed=author is not None)))
    if refused and not skip_refused:
        fail(Exit.BAD_DATA, f"{refused} rows are refused, so none was imported; mend them, or give --skip-refused")


def _judged(files: Sequence[Path], handlings: Mapping[str, Handling]) -> list[Judged]:
    """Every row of the files. Raises Refused naming file and line."""
    from msgspec.structs import replace

    from schemas.v25_files import read_rows
    from streams.adapters.patterns import check_patterns
    from streams.core.v25 import Fate, judge

    rows: list[tuple[str, OldRow]] = []
    for file in files:
        try:
            rows += [(str(file), row) for row in read_rows(file.read_bytes())]
        except Refused as refused:
            fail(Exit.BAD_DATA, f"{file}: {refused}")
    judged = judge(rows, handlings)
    with_rule = [index for index, one in enumerate(judged) if one.rule is not None]
    rules = [one.rule for one in judged if one.rule is not None]
    for problem in check_patterns(rules):
        index = with_rule[problem.rule]
        note = f"match_string: {problem.reason}"
        judged[index] = replace(judged[index], fate=Fate.REFUSED, notes=(note,), rule=None)
    return judged


def _handlings(texts: Sequence[str]) -> dict[str, Handling]:
    from schemas.rules import Handling

    known = {one.value.lower(): one for one in Handling}
    pairs = [text.partition("=")[::2] for text in texts]
    wrong = [
        f"--handling {old}={new}: {new!r} is none of {', '.join(Handling)}"
        for old, new in pairs
        if new.lower() not in known
    ]
    if wrong:
        raise Refused(wrong)
    return {old.strip().lower(): known[new.lower()] for old, new in pairs}


async def _import(
    judged: list[Judged], author: Author | None, *, skip_refused: bool
) -> tuple[Added | None, list[Judged]]:
    """What was added, or would be without an author; None where what is refused stops it."""
    from msgspec.structs import replace

    from ops.cli.connections import database, settings_from_environment
    from streams.adapters.v25_import import add, kept_teams, would_add
    from streams.core.v25 import Fate

    async with database(settings_from_environment()) as pool, pool.acquire() as connection:
        teams = {one.name: one.team for one in judged if one.team is not None and one.fate is not Fate.REFUSED}
        kept = await kept_teams(connection, teams)
        for index, one in enumerate(judged):
            if one.team is not None and one.name in kept:
                note = f"team_assignment: mutt has {kept[one.name]!r} for this host, which stays"
                judged[index] = replace(one, fate=Fate.REFUSED, notes=(note,))
        good = [one for one in judged if one.fate is not Fate.REFUSED]
        if len(good) < len(judged) and not skip_refused and author is not None:
            return None, judged
        rules = [one.rule for one in good if one.rule is not None]
        hosts = list(dict.fromkeys(one.name for one in good if one.table == "development_hosts"))
        teams = {one.name: one.team for one in good if one.team is not None}
        if author is None:
            return await would_add(connection, rules, hosts, teams), judged
        return await add(connection, rules, hosts, teams, author), judged


def _counts(judged: Sequence[Judged]) -> dict[str, dict[str, int]]:
    from schemas.v25_files import TABLES
    from streams.core.v25 import Fate

    return {
        table: {fate.value: sum(one.table == table and one.fate is fate for one in judged) for fate in Fate}
        for table in TABLES
    }


def _row(one: Judged) -> dict[str, Any]:
    facts = {"file": one.file, "line": one.line, "table": one.table, "name": one.name, "fate": one.fate.value}
    return facts | {"notes": list(one.notes)}


def _lines(judged: Sequence[Judged], added: Added | None, *, changed: bool) -> list[str]:
    from streams.core.v25 import Fate

    shown = [one for one in judged if one.fate is not Fate.TAKEN]
    lines = [
        printable(f"{one.fate:<8} {one.table} {one.name} ({one.file}:{one.line}): {'; '.join(one.notes)}")
        for one in shown
    ]
    for table, counts in _counts(judged).items():
        lines.append(f"{table:<18} " + ", ".join(f"{number} {fate}" for fate, number in counts.items()))
    if added is not None:
        words = "added" if changed else "to add"
        lines.append(f"{words}: {added.rules} rules, {added.hosts} development hosts, {added.teams} teams")
    return lines
