"""Exit codes, and how an exception becomes one line on standard error and one of them."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from enum import IntEnum
from socket import gaierror
from ssl import SSLError
from typing import Annotated, Any, NoReturn

import typer

from ops.devstack.processes import StackFailed
from schemas.errors import (
    ArchiveDamaged,
    ConfigRefused,
    MigrationRefused,
    MuttError,
    Refused,
    RuleRefused,
    SecretRefused,
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


MEANINGS = {
    Exit.DONE: "done",
    Exit.CHECK_FAILED: "its check failed, or what was asked for is not there",
    Exit.USAGE: "wrong usage",
    Exit.BAD_DATA: "bad data, or a file that cannot be read",
    Exit.UNAVAILABLE: "Kafka, PostgreSQL or another server cannot be reached",
    Exit.INTERNAL: "a defect in mutt",
    Exit.OUTPUT: "the output cannot be written",
    Exit.TRY_AGAIN: "something moved meanwhile, try again",
    Exit.CONFIGURATION: "settings, secrets or the database schema are not right",
    Exit.INTERRUPTED: "interrupted, or answered with no",
    Exit.PIPE_CLOSED: "the reader of the output went away",
}

EPILOG = "Exit status: " + "; ".join(f"{code.value} {meaning}" for code, meaning in MEANINGS.items()) + "."


class Failed(Exception):  # noqa: N818 - reads as what happened
    """Ends the command with one line on standard error."""

    def __init__(self, code: Exit, message: str) -> None:
        super().__init__(message)
        self.code = code


def fail(code: Exit, message: str) -> NoReturn:
    """Ends the command with one line on standard error."""
    raise Failed(code, message)


def printable(text: str) -> str:
    """The text with control characters as escapes, so that event text cannot drive a terminal (BAD-INPUTS K21)."""
    return "".join(char if char.isprintable() or char == "\t" else _escape(char) for char in text)


def _escape(char: str) -> str:
    point = ord(char)
    return f"\\x{point:02x}" if point < 0x100 else f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


def printable_json(value: Any) -> str:
    """One line of JSON in which no character drives a terminal; what JSON does not know is written as its text."""
    return json.dumps(value, default=str).replace("\x7f", "\\u007f")


def _tell_version(asked: bool) -> None:
    if asked:
        from schemas.versions import MUTT_VERSION  # looks through what is installed, which takes longer than the help

        typer.echo(f"mutt {MUTT_VERSION}")
        raise typer.Exit


def options(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of a defect, as MUTT_DEBUG=1 does.")
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Say which version this is.", callback=_tell_version, is_eager=True)
    ] = False,
) -> None:
    if debug:
        os.environ["MUTT_DEBUG"] = "1"


def run(app: typer.Typer, arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs a Typer application; every error leaves as one line and a documented status, no traceback."""
    name = str(app.info.name)
    _open_closed_streams()
    try:
        outcome = app(arguments, standalone_mode=False, prog_name=name)
        if outcome == Exit.INTERRUPTED:  # Typer's word for Ctrl-C
            raise KeyboardInterrupt
        sys.stdout.flush()
    except SystemExit as ended:
        # Typer itself turns a closed pipe into status 1; what it then puts in the place of stdout tells.
        outcome = Exit.PIPE_CLOSED if type(sys.stdout).__name__ == "PacifyFlushWrapper" else ended.code
    except BrokenPipeError:
        outcome = Exit.PIPE_CLOSED
    except (KeyboardInterrupt, Exception) as error:
        outcome, message = classify(error)
        if outcome is Exit.INTERNAL and os.environ.get("MUTT_DEBUG"):
            raise
        if message:
            _say(name, message)
    if outcome in (Exit.PIPE_CLOSED, Exit.OUTPUT):
        _abandon_stdout()
    sys.exit(outcome)


def _open_closed_streams() -> None:
    """Whoever starts us with a stream closed means the empty one."""
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115 - as long as the process
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115


def _say(name: str, message: str) -> None:
    """One line, whatever the message holds; nothing where nobody reads it."""
    line = " / ".join(part.strip() for part in message.splitlines() if part.strip())
    with suppress(OSError):
        print(f"{name}: {printable(line)}", file=sys.stderr)  # noqa: T201


def classify(error: BaseException) -> tuple[Exit, str]:
    """The exit status and the line for an exception that left a command."""
    if isinstance(error, Failed):
        return error.code, str(error)
    if isinstance(error, typer.TyperException):
        return Exit.USAGE, _usage(error)
    if isinstance(error, (KeyboardInterrupt, typer.Abort)):
        return Exit.INTERRUPTED, "interrupted"
    if refused := _certificate(error):
        return (
            Exit.CONFIGURATION,
            f"TLS with PostgreSQL fails: {refused}; check MUTT_DATABASE_URL and MUTT_DATABASE_CACERT",
        )
    if isinstance(error, Unavailable):
        return Exit.UNAVAILABLE, f"{error}; {_IS_IT_UP}"
    for kinds, code in _CODES:
        if isinstance(error, kinds):
            return code, str(error)
    name = type(error).__module__.partition(".")[0]
    if name in ("asyncpg", "aiokafka") or isinstance(error, (ConnectionError, TimeoutError, gaierror)):
        return _outside(error)
    if isinstance(error, UnicodeDecodeError):
        return Exit.BAD_DATA, f"not UTF-8: {error.reason} at byte {error.start}"
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EIO):
        return Exit.OUTPUT, f"cannot write: {error.strerror}"
    if isinstance(error, OSError):
        return Exit.BAD_DATA, f"{error.filename or 'system'}: {error.strerror or error}"
    return (
        Exit.INTERNAL,
        f"{type(error).__name__}: {error} (a defect in mutt; --debug before the command shows the traceback)",
    )


def _certificate(error: BaseException | None) -> str | None:
    """Why the server's certificate, or ours, is refused, where that is what this error comes from."""
    while error is not None:
        if isinstance(error, SSLError):
            return str(getattr(error, "verify_message", None) or error.reason or error).rstrip(".")
        error = error.__cause__
    return None


def _usage(error: typer.TyperException) -> str:
    """Typer's words and where to read on; nothing where it has printed the help already."""
    context = getattr(error, "ctx", None)
    message = error.format_message().rstrip(".")
    return f"{message}; see: {context.command_path} --help" if message and context else message


_IS_IT_UP = "is it up? (muttdev status)"

_CODES: tuple[tuple[tuple[type[BaseException], ...], Exit], ...] = (
    ((SettingsRefused, SecretRefused, MigrationRefused), Exit.CONFIGURATION),
    ((RuleRefused, ConfigRefused, ArchiveDamaged), Exit.BAD_DATA),
    ((Refused,), Exit.USAGE),
    ((StackFailed,), Exit.UNAVAILABLE),
    ((MuttError,), Exit.INTERNAL),
)


def _outside(error: BaseException) -> tuple[Exit, str]:
    """Errors of the drivers: down is 69, refused credentials or a missing schema is 78."""
    kind = type(error).__name__
    if kind in ("InvalidPasswordError", "InvalidAuthorizationSpecificationError", "InvalidCatalogNameError"):
        return Exit.CONFIGURATION, f"PostgreSQL refuses the login: {error}; check MUTT_DATABASE_URL and DB_PASS_CURRENT"
    if kind == "ClientConfigurationError":
        return Exit.CONFIGURATION, f"MUTT_DATABASE_URL: {error}"
    if kind in ("UndefinedTableError", "UndefinedColumnError"):
        return Exit.CONFIGURATION, f"the database schema is not this program's ({error}); run: mutt migrate"
    if kind == "UnknownTopicOrPartitionError":
        return Exit.CONFIGURATION, "a topic is missing; run: mutt topics create"
    side = "Kafka" if type(error).__module__.startswith("aiokafka") else "PostgreSQL or Kafka"
    return Exit.UNAVAILABLE, f"{side} cannot be reached: {error or kind}; {_IS_IT_UP}"


def _abandon_stdout() -> None:
    """Keeps the interpreter from reporting the closed pipe again when it flushes."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
