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


Tested = tuple[MatchType, str | None]
"""What a rule tests `message` for. Rules that test for the same share one expression."""


def tested(rule: Rule) -> Tested:
    """Of a rule whose match type is one of ON_MESSAGE."""
    return rule.match_type, rule.match_string


class Expression(NamedTuple):
    """What the engine compiles: pattern bytes and flags."""

    pattern: bytes
    flags: int


def expression(test: Tested) -> Expression:
    """The expression of a test of `message`: caseless, reported once a line.

    Unicode is switched on only for patterns with characters beyond ASCII: without it "é" is not caseless, with it `\\b`
    is refused.
    """
    match_type, text = test[0], test[1] or ""
    ascii_only = text.isascii()
    if match_type is MatchType.CONTAINS:
        text = "".join(_literal(char) for char in text)
    return Expression(text.encode(), _ASCII if ascii_only else _UNICODE)


def _literal(char: str) -> str:
    """The character as a pattern that means only it. Beyond ASCII by code point: under UTF-8 no single byte is one."""
    if char.isascii():
        if char.isalnum() or char == " ":
            return char
        return f"\\{char}" if char.isprintable() else f"\\x{ord(char):02x}"
    return f"\\x{{{ord(char):x}}}"


def compile_expressions(expressions: Sequence[Expression]) -> hyperscan.Database:
    """One database that reports the place of each expression. Releases the GIL while it compiles.

    Raises hyperscan.error.
    """
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    database.compile(
        expressions=[one.pattern for one in expressions],
        ids=list(range(len(expressions))),
        elements=len(expressions),
        flags=[one.flags for one in expressions],
    )
    return database
