"""Query parameters to values: each given at most once, in bounds, or 422 with every fault at once."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Callable, Collection
from typing import Annotated, TypeVar

from msgspec import Meta
from starlette.datastructures import QueryParams

from api.problems import Fault, Invalid

Word = TypeVar("Word", bound=str)

_DIGITS = re.compile(r"[0-9]{1,100}")
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}([.]\d{1,9})?)?([Zz]|[+-]\d{2}:?\d{2})?", re.ASCII)


def text_up_to(longest: int) -> Meta:
    """What `QueryReader.text` takes, for the type of a parameter: `Annotated[str, text_up_to(255)]`."""
    return Meta(min_length=1, max_length=longest, pattern="^[^\\x00]*$")


Instant = Annotated[
    str, Meta(description="a time of RFC 3339, with its zone", extra_json_schema={"format": "date-time"})
]
"""What `QueryReader.instant` takes."""
DayOrInstant = Annotated[
    str,
    Meta(
        description="a date, or a time of RFC 3339; without zone it is UTC",
        extra_json_schema={"anyOf": [{"format": "date"}, {"format": "date-time"}]},
    ),
]
"""What `QueryReader.start` and `end` take."""


class QueryReader:
    """Reads one request's parameters and remembers what is wrong; `finish` raises it."""

    def __init__(self, query: QueryParams) -> None:
        self._query = query
        self._faults: list[Fault] = []

    def whole(self, name: str, default: int, *, low: int = 1, high: int | None = None) -> int:
        """A whole number of plain digits."""
        value = self.optional_whole(name, low=low, high=high)
        return default if value is None else value

    def optional_whole(self, name: str, *, low: int = 1, high: int | None = None) -> int | None:
        text = self._once(name)
        if text is None:
            return None
        value = int(text) if _DIGITS.fullmatch(text) else -1
        if value < low or (high is not None and value > high):
            upper = f" to {high}" if high is not None else " or more"
            self.refuse(f"{name} must be a whole number, {low}{upper}", name)
            return None
        return value

    def text(self, name: str, *, longest: int) -> str | None:
        """A text that is not empty and holds no NUL, which PostgreSQL has no place for."""
        text = self._once(name)
        if text is not None and (not 0 < len(text) <= longest or "\0" in text):
            self.refuse(f"{name} must be 1 to {longest} characters without NUL", name)
            return None
        return text

    def choice(self, name: str, allowed: Collection[Word], *, any_case: bool = False) -> Word | None:
        """One of a closed set: of the members of an enum the member."""
        text = self._once(name)
        if text is None:
            return None
        known = {value.lower() if any_case else value: value for value in allowed}
        found = known.get(text.lower() if any_case else text)
        if found is None:
            self.refuse(f"{name} must be one of {', '.join(allowed)}", name)
        return found

    def id(self, name: str) -> uuid.UUID | None:
        """A UUID as it is usually written."""
        text = self._once(name)
        if text is None:
            return None
        if not _UUID.fullmatch(text):
            self.refuse(f"{name} must be a UUID", name)
            return None
        return uuid.UUID(text)

    def switch(self, name: str) -> bool | None:
        text = self.choice(name, ("true", "false"))
        return None if text is None else text == "true"

    def instant(self, name: str) -> dt.datetime | None:
        """An instant with its zone."""
        text = self._once(name)
        if text is None:
            return None
        try:
            return _parse(text, _no_day, zoned=True)
        except (ValueError, OverflowError):
            self.refuse(f"{name} must be a time with its zone, like 2026-03-01T12:00:00Z", name)
            return None

    def start(self, name: str) -> dt.datetime | None:
        """An instant; a date alone is its first moment."""
        return self._instant(name, lambda day: dt.datetime.combine(day, dt.time.min, dt.UTC))

    def end(self, name: str) -> dt.datetime | None:
        """An instant; a date alone is its last moment, since the bound is inclusive."""
        return self._instant(name, lambda day: dt.datetime.combine(day, dt.time.max, dt.UTC))

    def refuse(self, problem: str, name: str) -> None:
        """Remembers what is wrong with a parameter."""
        self._faults.append(Fault(problem, parameter=name))

    def finish(self) -> None:
        """Raises Invalid when anything was wrong."""
        if self._faults:
            raise Invalid(self._faults)

    def _once(self, name: str) -> str | None:
        given = self._query.getlist(name)
        if len(given) > 1:
            self.refuse(f"{name} is given {len(given)} times", name)
            return None
        return given[0] if given else None

    def _instant(self, name: str, of_day: Callable[[dt.date], dt.datetime]) -> dt.datetime | None:
        text = self._once(name)
        if text is None:
            return None
        try:
            return _parse(text, of_day)
        except (ValueError, OverflowError):
            self.refuse(f"{name} must be a date or time like 2026-03-01T12:00:00Z (without zone: UTC)", name)
            return None


def _no_day(_: dt.date) -> dt.datetime:
    raise ValueError("a date alone")


def _parse(text: str, of_day: Callable[[dt.date], dt.datetime], *, zoned: bool = False) -> dt.datetime:
    if _DATE.fullmatch(text):
        return of_day(dt.date.fromisoformat(text))
    # A `+` that the caller did not encode arrives as a space.
    text = re.sub(r" (\d{2}:?\d{2})$", r"+\1", text) if text.count(":") > 1 else text
    if not _TIME.fullmatch(text):
        raise ValueError(text)
    moment = dt.datetime.fromisoformat(text.upper())
    if zoned and moment.tzinfo is None:
        raise ValueError(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)
