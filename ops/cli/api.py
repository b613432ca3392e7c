"""`mutt api openapi`."""

from __future__ import annotations

import typer

app = typer.Typer(help="The HTTP API (`python -m api` serves it).", no_args_is_help=True)


@app.command()
def openapi() -> None:
    """Print the API as OpenAPI 3.1, as docs/openapi.json keeps it."""
    from api.app import described

    typer.echo(described(), nl=False)
