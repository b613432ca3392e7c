"""`muttdev shell`: a prompt at the stack's database, or at its broker."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Annotated

import typer

from ops.cli.exits import Exit, fail


class Place(StrEnum):
    """Where a prompt can be had."""

    DB = "db"
    KAFKA = "kafka"


def shell(
    place: Annotated[Place, typer.Argument(help="psql at the database, or a Python prompt at the broker.")],
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[-- ARGUMENTS...]", help="For psql, like: -- -c 'TABLE rules'.")
    ] = None,
) -> None:
    """Open a prompt at the running stack. At the broker: topics(), ends(), last(topic), send(topic, text)."""
    from ops.cli.stack import enter_stack, home
    from ops.devstack.layout import Layout
    from ops.devstack.processes import lives

    enter_stack()
    if not lives(Layout(home()).load().get("supervisor")):
        fail(Exit.UNAVAILABLE, "the stack is not running; start it with: muttdev up")
    if place is Place.DB:
        _psql(arguments or [])
    else:
        from ops.tails.prompt import prompt

        prompt(os.environ["MUTT_KAFKA_BOOTSTRAP"])


def _psql(arguments: list[str]) -> None:
    """Becomes psql, with the password in its environment and not among its arguments."""
    from ops.cli.stack import home
    from ops.devstack.stack import Stack
    from schemas.secret_names import DB_PASSWORD

    stack = Stack(home())
    program = str(stack.postgres.program("psql"))
    environment = dict(os.environ) | {"PGPASSWORD": stack.layout.secret(DB_PASSWORD)}
    os.execve(program, [program, stack.postgres.url, *arguments], environment)  # noqa: S606 - psql of our own stack
