"""`mutt topics`: The Kafka topics of mutt."""

from __future__ import annotations

import typer

app = typer.Typer(help="The Kafka topics of mutt.", no_args_is_help=True)
