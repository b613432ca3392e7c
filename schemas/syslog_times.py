"""Times as syslog senders write them, and the instants that they tell."""

from __future__ import annotations

import datetime as dt
import re

import msgspec

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_CLOCK = r"\d\d:\d\d:\d\d(?:[.,]\d{1,9})?"
_ZONE = r"(?:Z|UTC|GMT|[+-]\d\d:?\d\d|[A-Z]{2,5}(?= ?: ))"
ISO = rf"\d{{4}}-\d\d-\d\d[T ]{_CLOCK}(?: ?(?:Z|[+-]\d\d:?\d\d))?"
_DAY = rf"(?:\d{{4}} )?(?:{'|'.join(_MONTHS)}) {{1,2}}\d{{1,2}}(?:,? \d{{4}},?)?"
BSD = rf"{_DAY} {_CLOCK}(?: [AP]M(?:\.\d{{1,9}})?)?(?: \d{{4}}(?=[ :]))?(?: {_ZONE})?"
_PARTS = re.compile(
    rf"(?:(\d{{4}}) )?([A-Z][a-z]{{2}}) +(\d{{1,2}})(?:,? (\d{{4}}),?)? ({_CLOCK})(?: (\d{{4}}))?"
    r"(?: (Z|UTC|GMT|[+-]\d\d:?\d\d))?"
)


def moment_of(timestamp: str, received: dt.datetime | None) -> dt.datetime | None:
    """The instant of a time that carries its zone."""
    if timestamp[4] == "-":
        return utc(timestamp.replace(",", ".").replace(" ", "T", 1).replace(" ", ""))
    last = timestamp[-1]
    if last.isdigit() and timestamp[-5] not in "+-" and timestamp[-6] not in "+-":
        return None
    parts = _PARTS.fullmatch(timestamp)
    if parts is None:
        return None
    before, month, day, between, clock, after, zone = parts.groups()
    zone = "Z" if zone in ("UTC", "GMT", "Z") else zone
    year = before or between or after
    rest = f"-{_MONTHS.index(month) + 1:02}-{int(day):02}T{clock.replace(',', '.')}{zone}"
    return utc(year + rest) if year else _nearest(rest, received)


def _nearest(rest: str, received: dt.datetime | None) -> dt.datetime | None:
    """The instant in the year that brings it nearest to when it was received."""
    if received is None:
        return None
    years = (received.year + step for step in (-1, 0, 1))
    moments = [moment for moment in (utc(f"{year:04}{rest}") for year in years) if moment is not None]
    return min(moments, key=lambda moment: abs(moment - received), default=None)


def utc(text: str | None) -> dt.datetime | None:
    """The instant of an RFC 3339 text in UTC; None if it has no zone, cannot be read, or leaves the calendar."""
    try:
        moment = msgspec.convert(text, dt.datetime)
        if moment.tzinfo is dt.UTC:
            return moment
        return None if moment.tzinfo is None else moment.astimezone(dt.UTC)
    except (msgspec.ValidationError, OverflowError):
        return None
