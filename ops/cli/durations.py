"""Times as people write them: 30m, 12h, 90d, and 2026-03-01T22:00:00Z."""

from __future__ import annotations

import datetime as dt
import re

from schemas.errors import Refused

METAVAR = "TIME"
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_WRITTEN = re.compile(r"([0-9]{1,6})([smhdw])")


def duration(text: str) -> dt.timedelta:
    """Raises Refused."""
    found = _WRITTEN.fullmatch(text)
    if not found:
        raise Refused(f"{text!r} is no length of time; write it like 30m, 12h or 90d")
    return dt.timedelta(**{_UNITS[found.group(2)]: int(found.group(1))})


def instant(option: str, text: str) -> dt.datetime:
    """What an option says. Raises Refused."""
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        moment = dt.datetime.min
    if moment.tzinfo is None:
        raise Refused(f"{option} must be a time with its zone, like 2026-03-01T22:00:00Z")
    return moment
