"""What an error of PostgreSQL or its driver means: the row's own fault, a reason to wait, or a defect."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from schemas.errors import PartitionHalted, QuestionFailed, RowRefused, StoreUnavailable, TooSlow, words

_COPY_LINE = re.compile(r"COPY (\w+), line (\d+)")

DRIVER_VALUE_ERRORS = (asyncpg.exceptions.DataError, UnicodeEncodeError, OverflowError)
"""What asyncpg raises when a value cannot be sent as its column's type."""

_BROKEN_CONNECTION = (asyncpg.InterfaceError, asyncpg.InternalClientError)
"""The latter comes when a connection is cut within a COPY and its pool then wants to reset it."""

_OVERDUE = ("57014", "25P03", "25P04")
"""The server's own end of a statement, and of a transaction that stood still or took too long."""

_WHOLE_SERVER = ("08", "28", "3D", "53", "57", "58", "F0", "XX")
"""Classes of SQLSTATE that tell of connection, login, database, resources or the server itself, whatever was asked."""


@contextmanager
def store_faults(table: str | None = None) -> Iterator[None]:
    """Turns errors of the driver into mutt's: StoreUnavailable, PartitionHalted, or within a COPY RowRefused.

    Classes of SQLSTATE: 22 and 54 are the value's own fault; 23 means our own books do not add up; all others are
    waited for, missing privileges and tables included, since an operator can mend those while we wait. Where only
    this question failed on a server that works, that is QuestionFailed, or TooSlow.
    """
    try:
        yield
    except DRIVER_VALUE_ERRORS as error:
        if table is None:
            raise
        raise _refused(table, error) from error
    except asyncpg.PostgresError as error:
        state = error.sqlstate or ""
        if table is not None and state[:2] in ("22", "54"):
            raise _refused(table, error) from error
        if state[:2] == "23":
            raise PartitionHalted(f"the database refuses the batch as inconsistent: {error}") from error
        raise _unavailable(state)(f"PostgreSQL: {error} ({state})") from error
    except (*_BROKEN_CONNECTION, OSError, TimeoutError) as error:
        raise StoreUnavailable(f"PostgreSQL: {words(error)}") from error


def _unavailable(state: str) -> type[StoreUnavailable]:
    if state in _OVERDUE:
        return TooSlow
    return StoreUnavailable if not state or state[:2] in _WHOLE_SERVER else QuestionFailed


def _refused(table: str, error: BaseException) -> RowRefused:
    place = _COPY_LINE.search(str(getattr(error, "context", "") or ""))
    line = int(place.group(2)) if place and place.group(1) == table else None
    return RowRefused(table, line, str(error))
