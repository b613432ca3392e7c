"""What an error of PostgreSQL or its driver means: the row's own fault, a reason to wait, or a defect."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from schemas.errors import PartitionHalted, RowRefused, StoreUnavailable

_COPY_LINE = re.compile(r"COPY (\w+), line (\d+)")

DRIVER_VALUE_ERRORS = (asyncpg.exceptions.DataError, UnicodeEncodeError, OverflowError)
"""What asyncpg raises when a value cannot be sent as its column's type."""

_BROKEN_CONNECTION = (asyncpg.InterfaceError, asyncpg.InternalClientError)
"""The latter comes when a connection is cut within a COPY and its pool then wants to reset it."""


@contextmanager
def store_faults(table: str | None = None) -> Iterator[None]:
    """Turns errors of the driver into mutt's: StoreUnavailable, PartitionHalted, or within a COPY RowRefused.

    Classes of SQLSTATE: 22 and 54 are the value's own fault; 23 means our own books do not add up; all others are
    waited for, missing privileges and tables included, since an operator can mend those while we wait.
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
        raise StoreUnavailable(f"PostgreSQL: {error} ({state})") from error
    except (*_BROKEN_CONNECTION, OSError, TimeoutError) as error:
        raise StoreUnavailable(f"PostgreSQL: {error or type(error).__name__}") from error


def _refused(table: str, error: BaseException) -> RowRefused:
    place = _COPY_LINE.search(str(getattr(error, "context", "") or ""))
    line = int(place.group(2)) if place and place.group(1) == table else None
    return RowRefused(table, line, str(error))
