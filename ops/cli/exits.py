"""Exit codes, and how an exception becomes one line on standard error and one of them."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from enum import IntEnum
from typing import NoReturn

import typer

from schemas.errors import (
    ConfigRefused,
    MigrationRefused,
    MuttError,
    Refused,
    RuleRefused,
    SettingsRefused,
    Unavailable,
)


class Exit(IntEnum):
    """What the exit status of every command means (sysexits.h where it has a word for it)."""

    DONE = 0
    CHECK_FAILED = 1
    USAGE = 2
    BAD_DATA = 65
    UNAVAILABLE = 69
    INTERNAL = 70
    OUTPUT = 74
    TRY_AGAIN = 75
    CONFIGURATION = 78
    INTERRUPTED = 130
    PIPE_CLOSED = 141


def fail(code: Exit, message: str) -> NoReturn:
    """Ends the command with one line on standard error."""
    typer.echo(f"mutt: {printable(message)}", err=True)
    raise typer.Exit(code)


def printable(text: str) -> str:
    """The text with control characters as escapes, so that event text cannot drive a terminal (BAD-INPUTS K21)."""
    return "".join(char if char.isprintable() or char == "\t" else _escape(char) for char in text)


def _escape(char: str) -> str:
    point = ord(char)
    return f"\\x{point:02x}" if point < 0x100 else f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


def run(app: Callable[..., object]) -> NoReturn:
    """Runs a Typer application; every error leaves as one line and a documented status, no traceback."""
    try:
        app(standalone_mode=True)
    except BrokenPipeError:
        _abandon_stdout()
        sys.exit(Exit.PIPE_CLOSED)
    except SystemExit:
        # Typer itself turns a closed pipe into status 1; what it then puts in the place of stdout tells.
        if type(sys.stdout).__name__ == "PacifyFlushWrapper":
            sys.exit(Exit.PIPE_CLOSED)
        raise
    except KeyboardInterrupt:
        sys.exit(Exit.INTERRUPTED)
    except Exception as error:
        code, message = classify(error)
        if "--debug" in sys.argv or (code is Exit.INTERNAL and os.environ.get("MUTT_DEBUG")):
            raise
        print(f"mutt: {printable(message)}", file=sys.stderr)  # noqa: T201
        sys.exit(code)
    sys.exit(Exit.DONE)


def classify(error: BaseException) -> tuple[Exit, str]:
    """The exit status and the line for an exception that left a command."""
    for kinds, code in _CODES:
        if isinstance(error, kinds):
            return code, str(error)
    name = type(error).__module__.partition(".")[0]
    if name in ("asyncpg", "aiokafka") or isinstance(error, (ConnectionError, TimeoutError)):
        return _outside(error)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EIO):
        return Exit.OUTPUT, f"cannot write: {error.strerror}"
    if isinstance(error, OSError):
        return Exit.BAD_DATA, f"{error.filename or 'system'}: {error.strerror or error}"
    return Exit.INTERNAL, f"{type(error).__name__}: {error} (a defect in mutt; set MUTT_DEBUG=1 for the traceback)"


_CODES: tuple[tuple[tuple[type[BaseException], ...], Exit], ...] = (
    ((SettingsRefused, MigrationRefused), Exit.CONFIGURATION),
    ((RuleRefused, ConfigRefused), Exit.BAD_DATA),
    ((Refused,), Exit.USAGE),
    ((Unavailable,), Exit.UNAVAILABLE),
    ((MuttError,), Exit.INTERNAL),
)


def _outside(error: BaseException) -> tuple[Exit, str]:
    """Errors of the drivers: down is 69, refused credentials or a missing schema is 78."""
    kind = type(error).__name__
    if kind in ("InvalidPasswordError", "InvalidAuthorizationSpecificationError", "InvalidCatalogNameError"):
        return Exit.CONFIGURATION, f"PostgreSQL refuses the login: {error}; check MUTT_DATABASE_URL and DB_PASS_CURRENT"
    if kind in ("UndefinedTableError", "UndefinedColumnError"):
        return Exit.CONFIGURATION, f"the database schema is not this program's ({error}); run: mutt migrate"
    if kind == "UnknownTopicOrPartitionError":
        return Exit.CONFIGURATION, "a topic is missing; run: mutt topics create"
    side = "Kafka" if type(error).__module__.startswith("aiokafka") else "PostgreSQL or Kafka"
    return Exit.UNAVAILABLE, f"{side} cannot be reached: {error or kind}; is it up? (muttdev status)"


def _abandon_stdout() -> None:
    """Keeps the interpreter from reporting the closed pipe again when it flushes."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
