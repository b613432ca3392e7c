"""The `mutt` command: what operators run. The list of commands is the table of contents."""

from __future__ import annotations

import typer

from ops.cli import doctor, erase, import_v25, migrate, parse, pauses, ready, snmp, trace
from ops.cli.exits import EPILOG, options, run
from ops.cli.lazily import add_groups

GROUPS = {
    "worker": ("worker", "Run one worker until SIGTERM; settings come from MUTT_* variables."),
    "topics": ("topics", "The Kafka topics of mutt."),
    "rules": ("rules", "Import, export and test rules."),
    "dlq": ("dlq", "Dead letters: find the cause, inspect, edit, replay, set aside."),
    "ledger": ("ledger", "The books: what was done with every offset."),
    "config": ("config", "Dynamic configuration: what is in force, and changes of it."),
    "retention": ("retention", "Retention: what is past its time is archived, verified, and only then deleted."),
    "slo": ("slo", "Service levels: where every objective stands, and declared maintenance."),
    "keys": ("keys", "API keys: who may ask the API for what."),
    "roles": ("roles", "The roles of PostgreSQL: who may do what with which table."),
    "secrets": ("secrets", "Secrets: what is stored, without showing it; their rotation."),
    "api": ("api", "The HTTP API (`python -m api` serves it)."),
}
"""Module in `ops.cli` and help of each group of commands."""

app = typer.Typer(
    name="mutt",
    help="mutt turns syslog and SNMP traps into alerts, and can prove what it did with every event.",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.callback()(options)
add_groups(app, GROUPS)
app.command("migrate")(migrate.migrate)
app.command("doctor")(doctor.doctor)
app.command("erase")(erase.erase)
app.command("import-v25")(import_v25.import_v25)
app.command("trace")(trace.trace)
app.command("parse")(parse.parse)
app.command("snmp-bridge")(snmp.snmp_bridge)
app.command("ready")(ready.ready)
app.command("pause")(pauses.pause)
app.command("resume")(pauses.resume)
app.command("pauses")(pauses.pauses)


def main() -> None:
    run(app)


if __name__ == "__main__":
    main()
