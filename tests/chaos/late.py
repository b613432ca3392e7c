"""Messages that are kept back on their way, and what a statement says that comes to PostgreSQL too late."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

REFUSED, TAKEN, ENDED = "refused", "taken", "ended"
_OF_THE_SESSION = ("57", "25P03")
"""What errors begin with that end a session: an operator's, and that of one that stood still in a transaction."""
_HEAD = 5
_SHORT, _INT = struct.Struct(">h"), struct.Struct(">i")


@dataclass
class Kept:
    """One message, and all that the server has said on its connection since it went on."""

    message: bytes
    answer: bytes = b""


@dataclass
class Keep:
    """Keeps back each message of this moment that such a client sends, and what it sends after it, until it is let go.

    `client` is asked by the port that the client calls from, on the proxy's thread.
    """

    moment: str
    client: Callable[[int], bool]
    kept: list[Kept] = field(default_factory=list)
    let_go: asyncio.Event = field(default_factory=asyncio.Event)
    """Waited for and set on the proxy's thread."""


class Late(NamedTuple):
    """What a kept Bind of the statement that moves a partition on would do."""

    topic: str
    partition: int
    first: int
    after: int


def statement(bind: bytes) -> Late:
    """From the parameters of a batch's statement, which are topic, partition, epoch, first and after."""
    at = bind.index(b"\0", bind.index(b"\0", _HEAD) + 1) + 1
    at += _SHORT.size * (1 + _SHORT.unpack_from(bind, at)[0]) + _SHORT.size
    values = []
    for _ in range(5):
        size = _INT.unpack_from(bind, at)[0]
        at += _INT.size + size
        values.append(bind[at - size : at])
    topic, partition, _, first, after = values
    return Late(topic.decode(), _number(partition), _number(first), _number(after))


def _number(value: bytes) -> int:
    return int.from_bytes(value, "big", signed=True)


def outcome(answer: bytes) -> str | None:
    """Whether a statement that gives one row where it does something was `refused` or `taken`; else the error's code.

    `ended` where the server had ended its session before; None while there is no answer.
    """
    at = 0
    while len(answer) >= at + _HEAD:
        kind, end = answer[at : at + 1], at + 1 + _INT.unpack_from(answer, at + 1)[0]
        if len(answer) < end:
            return None
        body = answer[at + _HEAD : end]
        if kind == b"C":
            return REFUSED if body.rstrip(b"\0").endswith(b" 0") else TAKEN
        if kind == b"E":
            code = next(part[1:].decode() for part in body.split(b"\0") if part.startswith(b"C"))
            return ENDED if code.startswith(_OF_THE_SESSION) else code
        at = end
    return None
