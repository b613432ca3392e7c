"""`mutt ledger`: The books: what was done with every offset."""

from __future__ import annotations

import typer

app = typer.Typer(help="The books: what was done with every offset.", no_args_is_help=True)
