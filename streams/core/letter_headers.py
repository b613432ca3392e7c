"""Reads the headers of dead letters: text, numbers and names within bounds, whoever wrote them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeVar

DETAIL_LIMIT = 2000
LATEST_MS = 253_402_300_799_999
"""The last millisecond of the year 9999."""

T = TypeVar("T")

_TOPIC_NAME = re.compile(rb"[a-zA-Z0-9._-]{1,249}")
_DIGITS = re.compile(rb"[0-9]{1,19}")


def clean_detail(text: str) -> str:
    """Text of unknown origin as a detail: control characters visible, no lone surrogates, at most DETAIL_LIMIT long."""
    shown = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
    return shown if len(shown) <= DETAIL_LIMIT else shown[: DETAIL_LIMIT - 1] + "…"


def read(fields: Mapping[str, bytes], name: str, kind: Callable[[bytes], T]) -> T:
    try:
        return kind(fields[name])
    except (ValueError, OverflowError):
        raise ValueError(name) from None


def topic_name(data: bytes) -> str:
    if not _TOPIC_NAME.fullmatch(data):
        raise ValueError("no topic name")
    return data.decode()


def text_number(limit: int) -> Callable[[bytes], int]:
    def read(data: bytes) -> int:
        if not _DIGITS.fullmatch(data) or int(data) > limit:
            raise ValueError("no number within bounds")
        return int(data)

    return read


def binary_number(length: int, limit: int) -> Callable[[bytes], int]:
    def read(data: bytes) -> int:
        if len(data) != length or not 0 <= (number := int.from_bytes(data, "big", signed=True)) <= limit:
            raise ValueError("no number within bounds")
        return number

    return read


partition_number = text_number(2**31 - 1)
offset_number = text_number(2**63 - 1)
timestamp_ms = text_number(LATEST_MS)
