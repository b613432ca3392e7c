"""`mutt api openapi`."""

from __future__ import annotations

import typer

app = typer.Typer()


@app.command()
def openapi() -> None:
    """Print the API as OpenAPI 3.1, as docs/openapi.json keeps it."""
    from api.app import described

    typer.echo(described(), nl=False)
