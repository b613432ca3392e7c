"""`migrate` command."""

from __future__ import annotations


def migrate() -> None:
    """To come."""
