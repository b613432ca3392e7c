"""`parse` command."""

from __future__ import annotations


def parse() -> None:
    """To come."""
