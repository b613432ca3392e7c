"""The `muttdev` command: the whole system on one laptop."""

from __future__ import annotations

import typer

from ops.cli import demo, logs, setup, shells, stack, tail, workbench
from ops.cli.exits import EPILOG, options, run
from ops.cli.lazily import add_groups

GROUPS = {
    "config": (
        "dev_config",
        "Settings (MUTT_…: a file, read at the start) and keys (the database, live): what stands there, and changes.",
    ),
}
"""Module in `ops.cli` and help of each group of commands."""

app = typer.Typer(
    name="muttdev",
    help="The whole of mutt on one laptop: real Kafka, PostgreSQL and a webhook receiver, from Python wheels alone.",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command("setup")(setup.setup)
app.command("up")(stack.up)
app.command("down")(stack.down)
app.command("status")(stack.status)
app.command("restart")(stack.restart)
app.command("reset")(stack.reset)
app.command("doctor")(stack.doctor)
app.command("logs")(logs.logs)
app.command("send")(stack.send)
app.callback()(options)
add_groups(app, GROUPS)
app.command("tail")(tail.tail)
app.command("shell")(shells.shell)
app.command("demo")(demo.demo)
for name in workbench.NAMES:
    app.command(name, help=workbench.NAMES[name])(workbench.runner(name))


def main() -> None:
    run(app)
