"""The `mutt` command: what operators run. The list of commands is the table of contents."""

from __future__ import annotations

import typer

from ops.cli import (
    api,
    config,
    dlq,
    doctor,
    keys,
    ledger,
    migrate,
    parse,
    pauses,
    ready,
    retention,
    roles,
    rules,
    secrets,
    slo,
    snmp,
    topics,
    trace,
    worker,
)
from ops.cli.exits import EPILOG, run

app = typer.Typer(
    name="mutt",
    help="mutt turns syslog and SNMP traps into alerts, and can prove what it did with every event.",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(worker.app, name="worker")
app.add_typer(topics.app, name="topics")
app.add_typer(rules.app, name="rules")
app.add_typer(dlq.app, name="dlq")
app.add_typer(ledger.app, name="ledger")
app.add_typer(config.app, name="config")
app.add_typer(retention.app, name="retention")
app.add_typer(slo.app, name="slo")
app.add_typer(keys.app, name="keys")
app.add_typer(secrets.app, name="secrets")
app.add_typer(roles.app, name="roles")
app.add_typer(api.app, name="api")
app.command("migrate")(migrate.migrate)
app.command("doctor")(doctor.doctor)
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
