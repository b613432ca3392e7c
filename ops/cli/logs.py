"""`muttdev logs`: what all parts of the stack say, as one stream ordered by time."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from ops.cli.exits import Exit, fail, printable, printable_json
from ops.cli.stack import home

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from ops.logs.filters import Wanted
    from ops.logs.lines import LogLine

LOOK_EVERY_S = 0.2
_COLOURS = {"debug": "bright_black", "info": "green", "warning": "yellow", "error": "red", "critical": "magenta"}
_PARTS = ("cyan", "blue", "magenta", "green", "yellow", "white")


def _known_parts(incomplete: str) -> list[str]:
    from ops.logs.files import parts

    return [part for part in parts(home() / "logs") if part.startswith(incomplete)]


def _known_levels(incomplete: str) -> list[str]:
    return [level for level in _COLOURS if level.startswith(incomplete)]


def logs(
    services: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SERVICE...", help="match-1, or match for all of them; without, all.", autocompletion=_known_parts
        ),
    ] = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on with what comes, until Ctrl-C.")] = False,
    since: Annotated[str | None, typer.Option("--since", metavar="TIME", help="Not older than this, like 10m.")] = None,
    grep: Annotated[str | None, typer.Option("--grep", metavar="RE", help="Only lines in which it is found.")] = None,
    level: Annotated[
        str,
        typer.Option(
            "--level", metavar="LEVEL", help="This grave or worse: warning, error …", autocompletion=_known_levels
        ),
    ] = "debug",
    event: Annotated[
        str | None, typer.Option("--event", metavar="ID", help="Only what names this event, alert or letter.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Show what all parts say, ordered by time. Lines that come later are shown too with -f, whoever is restarted."""
    from ops.logs.files import Logs, parts

    folder = home() / "logs"
    wanted = _wanted(since, grep, level, event)
    chosen = _chosen(services or [], folder, parts(folder))
    show = _as_json if as_json else _as_text
    with closing(Logs(folder, chosen)) as stream:
        shown = _show(stream.so_far(), wanted, show)
        while follow:
            time.sleep(LOOK_EVERY_S)
            _show(stream.new(), wanted, show)
    if event and not shown:
        typer.echo(f"no line names {event}; what became of it says: mutt trace {printable(event)}", err=True)


def _wanted(since: str | None, grep: str | None, level: str, event: str | None) -> Wanted:
    """Raises Refused."""
    import datetime as dt

    from ops.cli.durations import duration
    from ops.logs.filters import Wanted, compiled
    from ops.logs.lines import LEVELS
    from schemas.errors import Refused

    if level not in LEVELS:
        raise Refused(f"--level {level!r} is none of {', '.join(LEVELS)}")
    return Wanted(
        since=None if since is None else dt.datetime.now(dt.UTC) - duration(since),
        level=LEVELS[level],
        pattern=None if grep is None else compiled(grep),
        event=event,
    )


def _chosen(services: list[str], folder: Path, there: list[str]) -> Callable[[str], bool]:
    """Which parts are wanted. Fails where there is none, or one that nobody knows."""
    if not there:
        fail(Exit.CHECK_FAILED, f"no stack has written a log below {folder}; start one with: muttdev up")

    def named(part: str) -> bool:
        return not services or part in services or part.rpartition("-")[0] in services

    for service in services:
        if service not in {*there, *(part.rpartition("-")[0] for part in there)}:
            fail(Exit.USAGE, f"no part is called {service!r}; there are {', '.join(there)}")
    return named


def _show(lines: Iterable[LogLine], wanted: Wanted, show: Callable[[LogLine], str]) -> int:
    """How many were shown."""
    number = 0
    for line in lines:
        if wanted.takes(line):
            typer.echo(show(line))
            number += 1
    return number


def _as_text(line: LogLine) -> str:
    """Coloured; the terminal's own commands in it are harmless."""
    from ops.logs.filters import said

    level = line.level.name.lower()
    colour = _PARTS[sum(line.part.encode()) % len(_PARTS)]
    head = [f"{line.at:%H:%M:%S}.{line.at.microsecond // 1000:03}", typer.style(f"{line.part:<14}", fg=colour)]
    first, *more = said(line).splitlines() or [""]
    text = [" ".join([*head, typer.style(f"{level:<8}", fg=_COLOURS[level]), printable(first)])]
    return "\n".join([*text, *("    " + printable(each) for each in more)])


def _as_json(line: LogLine) -> str:
    at = line.at.isoformat().replace("+00:00", "Z")
    facts = {"at": at, "part": line.part, "level": line.level.name.lower(), "text": line.text, "fields": line.fields}
    return printable_json(facts)
