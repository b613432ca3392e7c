"""docs/adr/README.md: the records of decisions, by number, with their status."""

from __future__ import annotations

import re
from pathlib import Path

from ops.documents.markdown import page, table

FOLDER = Path(__file__).parents[2] / "docs" / "adr"
_HEAD = re.compile(r"# (\d{4})\. (.+)\n\n- Status: (.+)\n- Date: (.+)\n")


def document() -> str:
    about = (
        "What was decided, and why. A new one is written from [the template](0000-template.md), under the next free"
        " number;\none that is overturned keeps its number and says by which."
        " [ARCHITECTURE.md](../ARCHITECTURE.md) has what came of them."
    )
    return page(
        "Decisions", about, table(("Number", "Decided", "Status", "Date"), map(_row, sorted(FOLDER.glob("0*.md"))[1:]))
    )


def _row(record: Path) -> tuple[str, str, str, str]:
    """Raises ValueError where a record does not begin as the template does."""
    found = _HEAD.match(record.read_text(encoding="utf-8"))
    if found is None:
        raise ValueError(f"{record.name} does not begin as the template does")
    return f"[{found[1]}]({record.name})", found[2], found[3], found[4]
