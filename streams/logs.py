"""Logs: one JSON object a line on standard error, ours and the libraries' alike."""

from __future__ import annotations

import datetime as dt
import logging
import re
import sys
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, BinaryIO, cast

import orjson
import structlog
from structlog.typing import EventDict, WrappedLogger

from schemas.secrets import Secret

NOISY = ("faust", "mode", "aiokafka", "asyncio")
"""Libraries that talk at `info`, or whose liveness warnings mean nothing to the batch driver."""


IN_HAND: ContextVar[Mapping[str, str]] = ContextVar("in hand")
"""What every line carries while a request is in hand: its ids."""


def configure(level: str, service: str) -> None:
    """Sets up structlog and the standard library's logging once, at the start of a process."""
    number = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    lines = Lines(sys.stderr.buffer, service)
    shared: list[structlog.typing.Processor] = [
        add_what_is_in_hand,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _named(service),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(serializer=_line)],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.BytesLoggerFactory(cast(BinaryIO, lines)),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(_AsText(lines))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(serializer=_text),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=number, force=True)
    for name in NOISY:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))
    # Faust's consumer warns of "livelocks" by comparing clocks that do not compare; `aiokafka` repeats each retry.
    logging.getLogger("faust.transport.drivers.aiokafka").setLevel(logging.CRITICAL)


SHORTEST_HIDDEN = 8
"""Characters; what is shorter would be found in innocent words."""

_hidden: dict[bytes, None] = {}


def hide(secrets: Iterable[Secret]) -> None:
    """From now on these stand in no line, whoever writes it; also when they are no longer in use."""
    told = [secret.reveal().encode() for secret in secrets]
    _hidden.update(dict.fromkeys(text for text in told if len(text) >= SHORTEST_HIDDEN))


def _without_secrets(line: bytes) -> bytes:
    for text in list(_hidden):
        if text in line:
            line = line.replace(text, b"***")
    return line


class Lines:
    """Where lines go. One that finds no room, or no reader, is lost and counted: no work fails for its log."""

    def __init__(self, out: BinaryIO, service: str) -> None:
        # Nothing is kept back, to be refused later together with what follows.
        self._out: Any = getattr(out, "raw", out)
        self._service = service
        self._lost = 0

    def write(self, line: bytes) -> int:
        try:
            if self._lost:
                self._write(self._told())
                self._lost = 0
            self._write(_without_secrets(line))
        except OSError:
            self._lost += 1
        return len(line)

    def flush(self) -> None:
        """Nothing is kept back."""

    def _write(self, data: bytes) -> None:
        while data:
            written = self._out.write(data)
            if not written:
                raise BlockingIOError("its reader is slow")
            data = data[written:]

    def _told(self) -> bytes:
        """Begins on a line of its own: the last one may have been cut."""
        words = {"event": "lines of this log were lost: it could not be written", "lines": self._lost}
        when = dt.datetime.now(dt.UTC).isoformat().replace("+00:00", "Z")
        return b"\n" + orjson.dumps(words | {"level": "warning", "timestamp": when, "service": self._service}) + b"\n"


class _AsText:
    """The same for who writes text."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def write(self, text: str) -> int:
        return self._lines.write(text.encode("utf-8", "backslashreplace"))

    def flush(self) -> None:
        self._lines.flush()


def add_what_is_in_hand(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    event.update(IN_HAND.get(_NOTHING))
    return event


_NOTHING: Mapping[str, str] = MappingProxyType({})


def _named(service: str) -> structlog.typing.Processor:
    def add(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    return add


_UNSAFE = re.compile("[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""What JSON lets through and yet drives a terminal, breaks a line or turns text around; ASCII controls it escapes."""


def _line(value: object, **options: Any) -> bytes:
    line = orjson.dumps(value, **options)
    return line if line.isascii() and b"\x7f" not in line else _safe(line.decode()).encode()


def _safe(text: str) -> str:
    return _UNSAFE.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def _text(value: object, **_: object) -> str:
    return _line(value, default=str).decode()
