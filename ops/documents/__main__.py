"""`python -m ops.documents write|check`: the generated pages below docs/."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ops.cli import exits
from ops.cli.exits import Exit, fail
from ops.documents.pages import PAGES
from schemas.errors import Refused

DOCS = Path(__file__).parents[2] / "docs"

app = typer.Typer(name="ops.documents", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

Names = Annotated[list[str] | None, typer.Argument(metavar="[PAGE...]", help="Only these, such as CLI.md.")]


@app.command()
def write(pages: Names = None) -> None:
    """Write the generated pages. SQL.md starts a PostgreSQL of its own for some seconds."""
    for name in _chosen(pages):
        (DOCS / name).write_text(PAGES[name](), encoding="utf-8")
        typer.echo(name)


@app.command()
def check(pages: Names = None) -> None:
    """Exit 1 and name the pages that are not what would be written."""
    stale = [name for name in _chosen(pages) if (DOCS / name).read_text(encoding="utf-8") != PAGES[name]()]
    if stale:
        fail(Exit.CHECK_FAILED, f"not current: {', '.join(stale)}; run: python -m ops.documents write")


def _chosen(pages: list[str] | None) -> list[str]:
    if unknown := sorted(set(pages or ()) - PAGES.keys()):
        raise Refused(f"{', '.join(unknown)}: no generated page; there are {', '.join(PAGES)}")
    return pages or list(PAGES)


if __name__ == "__main__":
    exits.run(app)
