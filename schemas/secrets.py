"""Secrets: values that never show themselves (I9)."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable
from typing import NoReturn


class Secret:
    """A secret value; `***` wherever it is shown. `reveal()` is the only way to it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")


LiveSecrets = Callable[[], tuple[Secret, ...]]
"""The secrets that count at this moment, the newest first: two while one replaces the other. Answers from memory."""


def is_among(given: bytes, known: Iterable[bytes]) -> bool:
    """Takes as long whichever of them it is, and where it is none."""
    found = False
    for each in known:
        found |= hmac.compare_digest(given, each)
    return found
