"""`muttdev demo`: the main job on real servers, with faults, and a balance sheet at the end."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ops.cli.exits import Exit, classify, printable_json
from schemas.settings import Settings


class Beside(StrEnum):
    """What may run beside the demonstration."""

    PROMETHEUS = "prometheus"


def demo(
    once: Annotated[bool, typer.Option("--once", help="No screen; end by itself after the balance sheet.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="No screen; the last line of output is one JSON object with the figures.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same traffic.")] = 1,
    duration: Annotated[float, typer.Option("--duration", min=8, max=3600, help="Seconds of traffic.")] = 26.0,
    rate: Annotated[float, typer.Option("--rate", min=20, max=20000, help="Events a second.")] = 300.0,
    input: Annotated[
        Path | None,
        typer.Option(
            "--input",
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="Send this file's events instead of generated ones.",
        ),
    ] = None,
    rules: Annotated[
        Path | None,
        typer.Option(
            "--rules", metavar="FILE", exists=True, dir_okay=False, help="Rules to load instead of the sample rules."
        ),
    ] = None,
    openbao: Annotated[
        bool, typer.Option("--openbao", help="Secrets come from an OpenBao (Vault's API) instead of files.")
    ] = False,
    secure: Annotated[
        bool,
        typer.Option(
            "--secure", help="TLS on every way, a login with its own rights for each service, secrets from OpenBao."
        ),
    ] = False,
    beside: Annotated[
        Beside | None,
        typer.Option("--with", help="Prometheus and Alertmanager watch: a burn-rate alert fires and resolves."),
    ] = None,
) -> None:
    """Traffic, an outage that sheds and pauses, a killed worker, dead letters and their replay; then the books.

    Exit 1 when the books do not balance. On a terminal it shows a live screen and stays up until Ctrl-C.
    """
    from ops.demo.run import Options, run, show_books
    from ops.demo.screen import Output

    interactive = sys.stdout.isatty() and not (once or as_json)
    console = Output(stderr=as_json)
    options = Options(
        home=Settings.from_env(os.environ).home_path / "demo",
        seed=seed, seconds=duration, rate=rate, input=input, rules=rules, live=interactive, stay=interactive,
        openbao=openbao, secure=secure, pager=beside is Beside.PROMETHEUS,
    )  # fmt: skip
    try:
        result = run(options, console)
    except Exception as error:
        if not as_json:
            raise
        code, message = classify(error)
        typer.echo(printable_json({"balanced": False, "ok": False, "error": message}))
        raise typer.Exit(code) from error
    if as_json:
        typer.echo(printable_json(result))
    elif not interactive:
        show_books(console, result)
    if not result["ok"]:
        raise typer.Exit(Exit.CHECK_FAILED)
