"""Rules as expressions of the matching engine (Vectorscan), and the options they are compiled with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import hyperscan

from schemas.rules import MatchType, Rule

ON_MESSAGE = (MatchType.CONTAINS, MatchType.REGEX)
"""Match types that test `message`, and so become expressions."""

_ASCII = hyperscan.HS_FLAG_CASELESS | hyperscan.HS_FLAG_SINGLEMATCH
_UNICODE = _ASCII | hyperscan.HS_FLAG_UTF8 | hyperscan.HS_FLAG_UCP


class Expression(NamedTuple):
    """What the engine compiles: pattern bytes and flags."""

    pattern: bytes
    flags: int


def expression(rule: Rule) -> Expression:
    """The expression of a rule that tests `message`: caseless, reported once a line.

    Unicode is switched on only for patterns with characters beyond ASCII: without it "é" is not caseless, with it `\\b`
    is refused.
    """
    text = rule.match_string or ""
    ascii_only = text.isascii()
    if rule.match_type is MatchType.CONTAINS:
        text = "".join(_literal(char) for char in text)
    return Expression(text.encode(), _ASCII if ascii_only else _UNICODE)


def _literal(char: str) -> str:
    """The character as a pattern that means only it. Beyond ASCII by code point: under UTF-8 no single byte is one."""
    if char.isascii():
        if char.isalnum() or char == " ":
            return char
        return f"\\{char}" if char.isprintable() else f"\\x{ord(char):02x}"
    return f"\\x{{{ord(char):x}}}"


def compile_database(expressions: Sequence[Expression], ids: Sequence[int]) -> hyperscan.Database:
    """One database that reports these ids. Releases the GIL while it compiles. Raises hyperscan.error."""
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    database.compile(
        expressions=[one.pattern for one in expressions],
        ids=list(ids),
        elements=len(expressions),
        flags=[one.flags for one in expressions],
    )
    return database
