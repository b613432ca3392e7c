"""Reads a fuzzer's bytes as choices, numbers and texts; when they are used up all is zero or empty."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def bytes(self, most: int) -> bytes:
        found = self._data[self._at : self._at + most]
        self._at += len(found)
        return found

    def number(self) -> int:
        """0 to 255."""
        return int.from_bytes(self.bytes(1), "big")

    def choice(self, options: Sequence[T]) -> T:
        return options[self.number() % len(options)]

    def short(self) -> bytes:
        """Up to 255 bytes, their number in front."""
        return self.bytes(self.number())

    def text(self) -> str:
        return self.short().decode("utf-8", "replace")

    def rest(self) -> bytes:
        return self.bytes(len(self._data))
