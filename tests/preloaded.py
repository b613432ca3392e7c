"""What the process that our programs are forked from has imported: all that they would import themselves."""

from __future__ import annotations

import gc
import inspect
from importlib import import_module

PROGRAMS = (
    "api.__main__", "ops.cli.mutt", "ops.cli.muttdev", "ops.devstack.sink", "ops.devstack.supervisor",
    "streams.match_role", "streams.forward_role", "streams.dead_letters_role", "streams.app",
)  # fmt: skip
COMMANDS = ("ops.cli.connections", "ops.cli.decisions", "ops.cli.letter_views", "ops.devstack.publishing")
"""What commands import when they are called."""
LIBRARIES = (
    "typer._adapters", "pydantic.fields", "pydantic.type_adapter", "faust.assignor.partition_assignor",
    "faust.fixups.django", "faust.tables.objects", "faust.tables.sets", "faust.topics",
)  # fmt: skip
"""What libraries import at first use."""


def of_groups() -> list[str]:
    """The modules of commands that are imported when their group is asked for."""
    programs = [import_module(name) for name in ("ops.cli.mutt", "ops.cli.muttdev")]
    return [f"ops.cli.{module}" for program in programs for module, _ in program.GROUPS.values()]


for name in (*PROGRAMS, *of_groups(), *COMMANDS, *LIBRARIES):
    import_module(name)
inspect.getmodule(inspect.currentframe())  # learns the file of every module, for which faust asks
gc.collect()
gc.freeze()  # the collector would touch the pages that the forked ones share, and so copy them
