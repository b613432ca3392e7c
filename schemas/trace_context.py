"""Trace context as W3C's recommendation has it: the caller's `traceparent`, where it is well formed, goes all the way
from the record to the receiver; any other is dropped, as the recommendation asks."""

from __future__ import annotations

import re
from collections.abc import Iterable

HEADER = "traceparent"

_FORM = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
"""Version, trace id, parent id, flags: https://www.w3.org/TR/trace-context/#traceparent-header-field-values"""
_LENGTH = 55


def traceparent(values: Iterable[str | bytes | None]) -> str | None:
    """The one well-formed value among those of all `traceparent` headers; None where there are several, or none."""
    given = list(values)
    if len(given) != 1 or given[0] is None or len(given[0]) != _LENGTH:
        return None
    text = given[0].decode("latin-1") if isinstance(given[0], bytes) else given[0]
    return text if _FORM.fullmatch(text) else None
