"""Crash points: where a process may die between two effects. A no-op; tests replace it in the workers they kill."""

from __future__ import annotations


def here(name: str) -> None:
    """Between two effects, once a batch or a request, never once an event. Called as `crash.here`, looked up late."""
