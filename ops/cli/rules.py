"""`mutt rules`: Import, export and test rules."""

from __future__ import annotations

import typer

app = typer.Typer(help="Import, export and test rules.", no_args_is_help=True)
