"""`muttdev up|down|status|send`."""

from __future__ import annotations


def up() -> None:
    """To come."""


def down() -> None:
    """To come."""


def status() -> None:
    """To come."""


def send() -> None:
    """To come."""
