"""What snmptrapd prints, read back into traps.

Quotes are followed, so that no text inside a trap can pass for the beginning or the end of a record (BAD-INPUTS S8).
Seen with snmptrapd 5.9.3: texts are quoted with `\\"` and `\\\\` inside and carry line feeds and tabs as they are;
octets that are no printable ASCII come as `Hex-STRING`, sixteen to a line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

FORMAT = r"mutt-trap\t%t\t%b\t%a\t%N\t%w\t%q\t%T\t%v\tmutt-end\n"
"""What snmptrapd is given with `-F` (ops/snmptrapd has the other options): seconds since the epoch, the packet's
addresses, a v1 trap's agent, enterprise, generic and specific number and uptime, then the variables. `%P` is left out,
because it prints the community."""

RECORD_LIMIT = 1024 * 1024
"""Bytes of a record at most. A trap comes in a packet of 64 KiB at most, printed it is several times as long."""

_START, _END = b"mutt-trap\t", b"\tmutt-end\n"
_OUTSIDE = re.compile(rb'"|\tmutt-end\n|mutt-trap\t')
_QUOTED = re.compile(rb'(?:[^"\\]++|\\.)*+"', re.DOTALL)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_FIELDS = 7
_VARIABLE = re.compile(
    rb"\t?\.?([0-9]+(?:\.[0-9]+)*+) = ((?:[A-Za-z][\w-]*+(?: [A-Za-z]+)*+: )*)"
    rb'("(?:[^"\\]++|\\.)*+"|[^"\t]*+)(?=\t|\Z)',
    re.DOTALL,
)
_HEX = b"Hex-STRING: "
_PEER = re.compile(rb"\[([0-9A-Fa-f.:]+)(?:%[\w.-]+)?\]")


class Trap(NamedTuple):
    """One trap, as snmptrapd printed it."""

    received: int
    """Seconds since the epoch."""
    peer: str | None
    """Address the packet came from; None where it came by no network."""
    agent: str
    """A v1 trap's own address of its sender, 0.0.0.0 for others."""
    enterprise: str | None
    """A v1 trap's, without a leading dot; None for v2c and v3."""
    generic: int
    specific: int
    uptime: int
    """Hundredths of a second, of a v1 trap."""
    variables: list[tuple[str, bytes]]
    """OIDs without a leading dot, with values: texts as their octets, all else as printed."""


class Broken(NamedTuple):
    """Output that holds no whole record: cut short, or not written by snmptrapd with FORMAT."""

    reason: str
    size: int
    """Bytes left out."""


class Said(NamedTuple):
    """Lines outside any record: snmptrapd's own messages, or what is left of a record whose beginning is lost."""

    text: str


Found = Trap | Broken | Said


class TrapReader:
    """Takes the output piece by piece, gives what is whole. Holds one record at most."""

    def __init__(self, limit: int = RECORD_LIMIT) -> None:
        self._limit = limit
        self._held = bytearray()
        self._looked = 0
        """Up to where the record in hand was looked through, outside quotes."""

    def feed(self, piece: bytes) -> Iterator[Found]:
        """The records that end in this piece, and what stood before them."""
        self._held += piece
        while (found := self._next()) is not None:
            yield found

    def close(self) -> Iterator[Found]:
        """What is left when the output has ended."""
        if self._held.startswith(_START):
            yield self._drop(len(self._held), "the output ended within a record")
        elif self._held.strip():
            yield self._said(len(self._held))

    def _next(self) -> Found | None:
        if not self._held.startswith(_START):
            return self._stray()
        end = self._end()
        if end is None:
            if len(self._held) <= self._limit:
                return None
            return self._resume(len(self._held), f"a record of more than {self._limit} bytes")
        if isinstance(end, Broken):
            return end
        trap = _parsed(bytes(self._held[len(_START) : end]))
        if trap is None:  # perhaps it was cut within a text, and the next record went into it
            return self._resume(end + len(_END), "not a record of a trap")
        self._forget(end + len(_END))
        return trap

    def _stray(self) -> Found | None:
        """What stands before the next start: whole lines, or all of it where a record follows."""
        start = self._held.find(_START)
        size = start if start >= 0 else self._held.rfind(b"\n") + 1
        if size == 0 and len(self._held) > self._limit:
            return self._drop(len(self._held), f"a line of more than {self._limit} bytes")
        if self._held[:size].strip():
            return self._said(size)
        self._forget(size)
        return self._next() if start >= 0 else None

    def _said(self, size: int) -> Said:
        text = bytes(self._held[:size]).decode("utf-8", "backslashreplace").strip()
        self._forget(size)
        return Said(text)

    def _end(self) -> int | Broken | None:
        """Where the record's end begins; None while it is not there. Another start outside quotes: it was cut."""
        position = max(self._looked, len(_START))
        while (found := _OUTSIDE.search(self._held, position)) is not None:
            if found[0] == _END:
                return found.start()
            if found[0] == _START:
                return self._drop(found.start(), "a record without its end")
            closing = _QUOTED.match(self._held, found.end())
            if closing is None:
                self._looked = found.start()
                return None
            position = closing.end()
        self._looked = max(len(_START), position, len(self._held) - len(_START))
        return None

    def _resume(self, size: int, reason: str) -> Broken:
        """Drops a record up to the next start. No whole record is as long as the limit, so what comes then is real."""
        start = self._held.find(_START, 1)
        return self._drop(start if start >= 0 else size, reason)

    def _drop(self, size: int, reason: str) -> Broken:
        self._forget(size)
        return Broken(reason, size)

    def _forget(self, size: int) -> None:
        del self._held[:size]
        self._looked = 0


def _parsed(record: bytes) -> Trap | None:
    """The trap between start and end of a record; None where it is none."""
    fields = record.split(b"\t", _FIELDS)
    if len(fields) <= _FIELDS:
        return None
    received, peer, agent, enterprise, generic, specific, uptime, rest = fields
    variables = _variables(rest)
    if variables is None:
        return None
    found = _PEER.search(peer)
    try:
        return Trap(
            received=int(received),
            peer=found[1].decode() if found else None,
            agent=agent.decode("ascii"),
            enterprise=enterprise.decode("ascii").strip(".") or None,
            generic=int(generic),
            specific=int(specific.lstrip(b".")),
            uptime=int(uptime),
            variables=variables,
        )
    except ValueError:
        return None


def _variables(text: bytes) -> list[tuple[str, bytes]] | None:
    """The variables, None where the text holds anything else."""
    variables, position = [], 0
    while position < len(text):
        found = _VARIABLE.match(text, position)
        if found is None:
            return None
        oid, kind, value = found.groups()
        variables.append((oid.decode(), _value(kind, value)))
        position = found.end()
    return variables


def _value(kind: bytes, printed: bytes) -> bytes:
    if printed[:1] == b'"':
        return _ESCAPED.sub(rb"\1", printed[1:-1])
    if kind == _HEX:
        try:
            return bytes.fromhex(printed.decode("ascii"))
        except ValueError:
            return printed
    return printed.removeprefix(b".") if kind == b"OID: " else printed
