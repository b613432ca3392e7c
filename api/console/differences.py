"""Differences between two things, field by field, as pages show them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Difference = tuple[str, Any, Any]
"""A field, what it was, and what it is; None where it held nothing."""


def differences(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[Difference]:
    """Fields that are not the same, in the order in which they stand."""
    old, new = before or {}, after or {}
    names = dict.fromkeys([*old, *new])
    return [(name, old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)]
