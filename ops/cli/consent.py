"""Asking before something is changed: on a terminal by question, elsewhere only with --yes."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from ops.cli.exits import Exit, fail
from schemas.errors import Refused

YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask; needed without a terminal.")]
NoteOption = Annotated[str | None, typer.Option("--note", help="Why, for the record.")]


def on_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def agree(question: str, *, yes: bool, otherwise: str = "nothing was changed") -> None:
    """Goes on only with a yes. Raises Refused where there is nobody to ask."""
    if yes:
        return
    if not on_terminal():
        raise Refused("without a terminal to ask on, this needs --yes")
    if not typer.confirm(question, err=True):
        fail(Exit.INTERRUPTED, otherwise)
