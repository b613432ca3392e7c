"""Strict JSON documents: what mutt does not read in them, told with the place."""

from __future__ import annotations

import msgspec

from schemas.errors import DocumentRefused
from schemas.json_checks import DEPTH_LIMIT, first_repeat, strip_bom, too_deep


def document(value: bytes) -> object:
    """Plain data. Raises DocumentRefused: no UTF-8, too deep, no JSON, a name twice in one object."""
    value = strip_bom(value)
    try:
        text = value.decode()
    except UnicodeDecodeError as error:
        raise DocumentRefused("", f"not UTF-8 at byte {error.start}") from None
    if too_deep(value):
        raise DocumentRefused("", f"nested deeper than {DEPTH_LIMIT}")
    try:
        data: object = msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError) as error:
        raise DocumentRefused("", str(error)) from None
    pointer = first_repeat(text)
    if pointer is not None:
        raise DocumentRefused(pointer, "stands there twice")
    return data
