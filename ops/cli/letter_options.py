"""The filter options of `mutt dlq`, and how their text becomes a filter."""

from __future__ import annotations

import datetime as dt
import difflib
import functools
import inspect
import re
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import typer

from ops.cli.exits import Exit, fail
from schemas.dead_letters import LetterState, Reason, Stage
from schemas.errors import Refused
from streams.core.replay import LetterFilter

IDS_AT_ONCE = 1000

ReasonOption = Annotated[list[str] | None, typer.Option("--reason", help="Only letters of this reason (repeatable).")]
StageOption = Annotated[list[str] | None, typer.Option("--stage", help="Only letters of this stage (repeatable).")]
HostOption = Annotated[list[str] | None, typer.Option("--host", help="Only letters of this host (repeatable).")]
TopicOption = Annotated[list[str] | None, typer.Option("--topic", help="Only letters from this topic (repeatable).")]
FromOption = Annotated[
    str | None, typer.Option("--from", help="Failed at this time or later: RFC 3339, as 2026-03-01T12:00:00Z.")
]
ToOption = Annotated[str | None, typer.Option("--to", help="Failed before this time: RFC 3339.")]
IdOption = Annotated[list[str] | None, typer.Option("--id", help="Only the letter of this id (repeatable).")]
StateOption = Annotated[list[str] | None, typer.Option("--state", help="open, replaying, replayed, parked or purged.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d(?:[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d))?", re.ASCII)
Member = TypeVar("Member", bound=StrEnum)
Value = TypeVar("Value")


def filtered(command: Callable[..., None]) -> Callable[..., None]:
    """The command, called with the filter that the filter's options ask for; they stand before its own."""
    options = inspect.signature(letter_filter, eval_str=True).parameters
    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
    parameters = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in (*options.values(), *own)]

    @functools.wraps(command)
    def run(**given: Any) -> None:
        command(letter_filter(**{name: given.pop(name) for name in options}), **given)

    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    return run


def letter_filter(
    *,
    reason: ReasonOption = None,
    stage: StageOption = None,
    host: HostOption = None,
    topic: TopicOption = None,
    since: FromOption = None,
    until: ToOption = None,
    ids: IdOption = None,
    state: StateOption = None,
) -> LetterFilter:
    """The filter these options ask for. Raises Refused naming every wrong value at once."""
    problems: list[str] = []

    def read(texts: Iterable[str] | None, parse: Callable[[str], Value]) -> tuple[Value, ...]:
        found: list[Value] = []
        for text in texts or ():
            try:
                found.append(parse(text))
            except Refused as refused:
                problems.extend(refused.problems)
        return tuple(found)

    chosen = LetterFilter(
        reasons=read(reason, lambda text: _member(Reason, "--reason", text)),
        stages=read(stage, lambda text: _member(Stage, "--stage", text)),
        hosts=tuple(host or ()),
        topics=tuple(topic or ()),
        ids=read(ids, letter_id),
        states=read(state, lambda text: _member(LetterState, "--state", text)),
        since=next(iter(read([since] if since is not None else [], lambda text: moment("--from", text))), None),
        until=next(iter(read([until] if until is not None else [], lambda text: moment("--to", text))), None),
    )
    if chosen.since and chosen.until and chosen.since >= chosen.until:
        problems.append(f"--from {since} is not before --to {until}")
    if problems:
        raise Refused(problems)
    return chosen


def shown_states(chosen: LetterFilter) -> LetterFilter:
    """The filter, without purged letters where no state is asked for: only their rows are left."""
    if chosen.states:
        return chosen
    return msgspec.structs.replace(chosen, states=tuple(one for one in LetterState if one is not LetterState.PURGED))


def moment(option: str, text: str) -> dt.datetime:
    """An RFC 3339 date and time with a zone; a date alone is its midnight in UTC. Raises Refused naming the value."""
    if _RFC3339.fullmatch(text):
        try:
            instant = dt.datetime.fromisoformat(text.upper())
            return (instant if instant.tzinfo else instant.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)
        except (ValueError, OverflowError):
            pass
    raise Refused(f"{option} {text!r} is no RFC 3339 time; one looks like 2026-03-01T12:00:00Z")


def letter_id(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text.strip())
    except ValueError:
        raise Refused(f"{text!r} is no id of a dead letter; `mutt dlq list` shows them") from None


def id_chunks(file: Path) -> Iterator[LetterFilter]:
    """Filters of IDS_AT_ONCE ids each from a file with an id a line (`-` is standard input), read as it goes."""
    with nullcontext(sys.stdin) if str(file) == "-" else file.open(encoding="utf-8", errors="replace") as lines:
        ids = (_line_id(file, number, line) for number, line in enumerate(lines, 1) if line.strip())
        while chunk := tuple(islice(ids, IDS_AT_ONCE)):
            yield LetterFilter(ids=chunk, states=(LetterState.OPEN,))


def _line_id(file: Path, number: int, line: str) -> uuid.UUID:
    try:
        return letter_id(line)
    except Refused as refused:
        fail(Exit.BAD_DATA, f"{file} line {number}: {refused}")


def _member(kind: type[Member], option: str, text: str) -> Member:
    try:
        return kind(text)
    except ValueError:
        near = difflib.get_close_matches(text, list(kind), n=1)
        hint = f"did you mean {near[0]}?" if near else f"one of: {', '.join(kind)}"
        raise Refused(f"{option} {text!r} is unknown; {hint}") from None
