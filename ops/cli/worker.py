"""`mutt worker match|forward|dead-letters`: runs one worker until it is told to stop."""

from __future__ import annotations

import os

import typer

from schemas.settings import settings_of_process

app = typer.Typer()


@app.command()
def match() -> None:
    """Match events against the rules: reads the ingest topics, writes the audit trail, raises alerts."""
    from streams.match_role import MatchRole

    _run("match", MatchRole)


@app.command()
def forward() -> None:
    """Forward alerts to the webhook receiver."""
    from streams.forward_role import ForwardRole

    _run("forward", ForwardRole)


@app.command("dead-letters")
def dead_letters() -> None:
    """Keep the table of dead letters complete: indexes what other tools put on mutt.dlq."""
    from streams.dead_letters_role import DeadLettersRole

    _run("dead-letters", DeadLettersRole)


def _run(service: str, role: type) -> None:
    from schemas.secret_names import Service
    from streams.app import end_process, run_worker
    from streams.heap import share_arenas
    from streams.logs import configure
    from streams.metrics import SECRETS
    from streams.safe_start import open_safely

    share_arenas()
    settings = settings_of_process(os.environ)
    configure(settings.log_level, service)
    secrets = open_safely(settings, Service(service), SECRETS, end_process)
    run_worker(settings, role(settings, secrets), secrets)
