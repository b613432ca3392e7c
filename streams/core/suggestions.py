"""Suggestions: the pattern of a rule that would take what looks like this message."""

from __future__ import annotations

from schemas.rules import MatchType
from streams.core.signatures import ID, SAMPLE_CHARACTERS

ANY_ID = "[0-9A-Fa-fx-]+"
"""What stands for a number or an id: all that is masked is made of these."""


def suggested(sample: str) -> tuple[MatchType, str]:
    """A pattern that matches this message, and every one that differs from it in numbers and ids alone.

    Its literal parts are escaped, so that they mean only themselves. A message without ids is looked for as it is.
    """
    text = sample if len(sample) < SAMPLE_CHARACTERS else sample[: sample.rfind(" ")] if " " in sample else sample
    text = text.strip()
    literals = ID.split(text)
    if len(literals) == 1 or not any(map(str.isalpha, "".join(literals))):
        return MatchType.CONTAINS, text
    return MatchType.REGEX, ANY_ID.join(map(_escaped, literals))


def _escaped(text: str) -> str:
    return "".join(map(_literal, text))


def _literal(char: str) -> str:
    if char.isalnum() or char == " " or not char.isascii():
        return char
    return f"\\{char}" if char.isprintable() else f"\\x{ord(char):02x}"
