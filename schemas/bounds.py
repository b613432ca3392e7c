"""Bounds of an event's fields that its types do not state."""

from __future__ import annotations

import re
from functools import lru_cache

from schemas.events import Event, Varbind

VARBIND_LIMIT = 1_000
CORRELATION_ID_LIMIT = 64
INTEGER_MIN, INTEGER_MAX = -(2**63), 2**64 - 1
"""Of a varbind: Counter64 is the largest. jsonb and every reader behind it hold these exactly."""

_ARC_MAX = 2**32 - 1
_OID_LENGTH = 128 * len(".4294967295")
_ARC = r"(?:0|[1-9][0-9]{0,9})"
_OID = re.compile(rf"\.?{_ARC}(?:\.{_ARC}){{1,127}}")
_LONG_ARC = re.compile(r"[0-9]{10}")


def is_oid(text: str) -> bool:
    """2 to 128 arcs of at most 2^32-1 in canonical digits; one leading dot is allowed."""
    return len(text) <= _OID_LENGTH and _is_oid(text)


@lru_cache(maxsize=4096)  # the same few OIDs come again and again
def _is_oid(text: str) -> bool:
    if _OID.fullmatch(text) is None:
        return False
    return all(int(arc) <= _ARC_MAX for arc in _LONG_ARC.findall(text))


def is_correlation_id(text: str) -> bool:
    """1 to 64 visible ASCII characters."""
    return 0 < len(text) <= CORRELATION_ID_LIMIT and text.isascii() and text.isprintable() and " " not in text


def within_bounds(event: Event) -> bool:
    """The bounds that the types of Event do not state."""
    if event.timestamp is None or not ("!" <= event.hostname[0] <= "~" or event.hostname.strip()):
        return False
    if event.trap_oid is not None and not is_oid(event.trap_oid):
        return False
    if event.correlation_id is not None and not is_correlation_id(event.correlation_id):
        return False
    return nested_within_bounds(event)


def nested_within_bounds(event: Event) -> bool:
    """The part of `within_bounds` that looks into objects."""
    if event.varbinds is not None and not _varbinds_hold(event.varbinds):
        return False
    return event.structured_data is None or _integers_hold(event.structured_data)


def _varbinds_hold(varbinds: dict[str, Varbind]) -> bool:
    return len(varbinds) <= VARBIND_LIMIT and all(map(is_oid, varbinds)) and _integers_hold(varbinds)


def _integers_hold(node: object) -> bool:
    if type(node) is int:
        return INTEGER_MIN <= node <= INTEGER_MAX
    if type(node) is dict:
        return all(map(_integers_hold, node.values()))
    return all(map(_integers_hold, node)) if type(node) is list else True
