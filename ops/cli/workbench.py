"""`muttdev bench|chaos|load`: the measuring and attacking programs of a checkout, as `make` calls them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import Annotated

import typer

from ops.cli.exits import Exit, fail

NAMES = {
    "bench": "Speed and memory as ratios of one run. From a checkout.",
    "chaos": "Kills, freezes, cuts and outages while events flow; then the books. From a checkout.",
    "load": "Backpressure under load; then the books. From a checkout.",
}
Arguments = Annotated[
    list[str] | None, typer.Argument(metavar="[-- ARGUMENTS...]", help="For the program, like: -- --json; -- --help.")
]


def runner(name: str) -> Callable[[list[str] | None], None]:
    """The command of that name."""

    def command(arguments: Arguments = None) -> None:
        if find_spec("tests") is None or find_spec(f"tests.{name}") is None:
            fail(Exit.USAGE, f"{name} is part of a checkout, not of the installed package; there: make {name}")
        os.execv(sys.executable, [sys.executable, "-m", f"tests.{name}", *(arguments or [])])  # noqa: S606 - ourselves

    return command
