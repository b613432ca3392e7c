"""`trace` command."""

from __future__ import annotations


def trace() -> None:
    """To come."""
