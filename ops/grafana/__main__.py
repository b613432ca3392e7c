"""`python -m ops.grafana`: writes the dashboards' JSON, or loads it into a running Grafana."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ops.cli import exits
from ops.grafana.load import DASHBOARDS, load

app = typer.Typer(name="ops.grafana", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.command("write")
def write_all(folder: Annotated[Path, typer.Argument(show_default=False)] = DASHBOARDS) -> None:
    """Write every dashboard, into ops/grafana/dashboards unless told otherwise. Needs grafana-foundation-sdk."""
    from ops.grafana.build import documents

    for name, text in documents().items():
        (folder / name).write_text(text, encoding="utf-8")
        typer.echo(name)


@app.command("load")
def load_all(
    url: Annotated[str, typer.Argument(help="Where Grafana is, as https://grafana.example.org.")],
    token_file: Annotated[
        Path, typer.Option(help="File with a service account's token; the account may write dashboards and folders.")
    ],
) -> None:
    """Load every dashboard into a running Grafana, over what is there under its uid."""
    for title in load(url, token_file.read_text(encoding="utf-8").strip()):
        typer.echo(title)


if __name__ == "__main__":
    exits.run(app)
