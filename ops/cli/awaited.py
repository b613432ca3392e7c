"""Runs what a command awaits; `asyncio` is imported only then, for help must come at once."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def awaited(work: Coroutine[Any, Any, T]) -> T:
    """Its answer, or what it raises."""
    import asyncio

    return asyncio.run(work)
