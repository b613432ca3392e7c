"""Pieces of Markdown that the generated pages are made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence


def page(title: str, about: str, *parts: Iterable[str]) -> str:
    """A whole page: its title, who writes it, what it is about, and its parts as lines."""
    head = [
        f"# {title}",
        "",
        "Written by `python -m ops.documents write`; a test holds it to that. Do not edit it.",
        "",
    ]
    lines = [*head, about, "", *(line for part in parts for line in part)]
    return "\n".join(lines).rstrip() + "\n"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Lines of a table and an empty one; nothing where there are no rows."""
    cells = [[_cell(text) for text in row] for row in rows]
    if not cells:
        return
    yield "| " + " | ".join(heads) + " |"
    yield "|" + "---|" * len(heads)
    yield from ("| " + " | ".join(row) + " |" for row in cells)
    yield ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def code(text: str) -> str:
    """The text as a code span; nothing where it is empty."""
    return f"`{text}`" if text else ""


def codes(texts: Iterable[str]) -> str:
    return ", ".join(code(text) if text else "(empty)" for text in texts)


def block(language: str, text: str) -> Iterator[str]:
    yield from (f"```{language}", *text.splitlines(), "```", "")
