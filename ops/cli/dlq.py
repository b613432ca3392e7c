"""`mutt dlq`: Dead letters: list, inspect and replay."""

from __future__ import annotations

import typer

app = typer.Typer(help="Dead letters: list, inspect and replay.", no_args_is_help=True)
