"""`mutt worker`: Run one worker until it is told to stop."""

from __future__ import annotations

import typer

app = typer.Typer(help="Run one worker until it is told to stop.", no_args_is_help=True)
