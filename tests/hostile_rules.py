"""Patterns that kill backtracking engines, of every known family, and the texts each of them dies on."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator
from itertools import count
from typing import NamedTuple

TEXT_LIMIT = 64 * 1024


class Hostile(NamedTuple):
    """A pattern, what makes an engine that backtracks go wrong (a pump and an end that almost fits), and its family."""

    pattern: str
    pump: str
    family: str
    end: str

    @property
    def text(self) -> str:
        """A message of 64 KiB."""
        half = self.pump * (1 + TEXT_LIMIT // len(self.pump) // 2)
        return (half + self.end[:-1] + half)[: TEXT_LIMIT - 1] + "!"


Maker = Callable[[str, str, str, int], tuple[str, str]]
"""Pattern and pump from a letter, two other letters or words, and a small number."""

EXPONENTIAL: dict[str, tuple[Maker, ...]] = {
    "nested": (
        lambda a, b, c, n: (f"({a}+)+{b}", a),
        lambda a, b, c, n: (f"(({a}+)+)+{b}", a),
        lambda a, b, c, n: (f"({a}*)*{b}", a),
        lambda a, b, c, n: (f"([{a}-{a}{b}]+)*{c}", a + b),
        lambda a, b, c, n: (f"^({a}+)+$", a),
        lambda a, b, c, n: (f"(({a}{b})+)+{c}", a + b),
        lambda a, b, c, n: (f"({a}+{b}?)+{c}", a),
        lambda a, b, c, n: (f"(?:(?:{a}|{b})*{a})*{c}", a),
    ),
    "overlap": (
        lambda a, b, c, n: (f"({a}|{a}{a})+{b}", a),
        lambda a, b, c, n: (f"({a}|{a}?)+{b}", a),
        lambda a, b, c, n: (f"({a}|{a}{b}|{b})*{c}", a + b),
        lambda a, b, c, n: (f"(?:{a}|[{a}{b}])+{c}", a),
        lambda a, b, c, n: (f"^(\\w|{a}|\\d)+{c}$", a),
        lambda a, b, c, n: (f"({a}{b}|{a}{b}{a}{b})*{c}", a + b),
        lambda a, b, c, n: (f"(.|{a})+{b}{c}", a),
    ),
    "optional": (
        lambda a, b, c, n: (f"^({a}?){{{n}}}{a}{{{n}}}{b}", a),
        lambda a, b, c, n: (f"({a}?{b}?{c}?)*{a}{{{n}}}{b}$", a + c),
        lambda a, b, c, n: (f"(?:{a}?){{{n}}}{b}", a),
    ),
    "known": (
        lambda a, b, c, n: (f"^(([{a}-z])+.)+[A-Z]([{a}-z])+{b}$", a),
        lambda a, b, c, n: (f"^([{a}-z0-9])(([\\-.]|[_]+)?([{a}-z0-9]+))*(@){{1}}{b}[.]{{1}}{c}$", a),
        lambda a, b, c, n: (f"({a}+{a}+)+{b}", a),
        lambda a, b, c, n: (f"^(?:{a}|{b}|[0-9]+)*{c}$", a + "0"),
        lambda a, b, c, n: (f'"(?:[^"\\\\]|\\\\.)*{a}{b}"', '"' + a),
        lambda a, b, c, n: (f"/\\*(?:.|\\s)*{a}\\*/{b}", "/*" + a),
        lambda a, b, c, n: (f"^(?:(?:{a}+,)+;?)+{b}$", a + ","),
    ),
}  # fmt: skip
POLYNOMIAL: dict[str, tuple[Maker, ...]] = {
    "polynomial": (
        lambda a, b, c, n: (f"{a}+{a}+{a}+{b}", a),
        lambda a, b, c, n: (f".*{a}.*{b}.*{c}", a + b),
        lambda a, b, c, n: (f"{a}\\s+{b}", a + " " * 50),
        lambda a, b, c, n: (f"^\\s*{a}\\s*\\s*{b}$", " "),
        lambda a, b, c, n: (f"{a}.*{a}.*{a}{b}", a),
        lambda a, b, c, n: (f"(.*{a}){{{n}}}{b}", a),
        lambda a, b, c, n: (f"[^{b}]*{a}[^{b}]*{b}{c}", a),
        lambda a, b, c, n: (f"\\w*{a}\\w*{b}\\d+", a),
    ),
    "bounded": (
        lambda a, b, c, n: (f"({a}{{1,{n}}}){{2}}{b}", a),
        lambda a, b, c, n: (f"[{a}{b}]{{1,{4 * n}}}{c}", a + b),
        lambda a, b, c, n: (f"{a}.{{{n}}}{b}", a),
        lambda a, b, c, n: (f"({a}{b}{{0,{n}}}){{3}}{c}", a + b),
        lambda a, b, c, n: (f"{a}{{{4 * n}}}{b}", a),
    ),
}  # fmt: skip
REFUSED = {
    "back-reference": (lambda a, b, c, n: (f"({a}+)\\1{b}", a), lambda a, b, c, n: (f"(?<n>{a})+\\k<n>{b}", a)),
    "look-around": (
        lambda a, b, c, n: (f"({a}+)+(?={b})", a), lambda a, b, c, n: (f"(?<!{b})({a}+)+{c}", a),
        lambda a, b, c, n: (f"(?!{b})({a}|{a}{a})+$", a), lambda a, b, c, n: (f"(?<={c}){a}+{b}", a),
    ),
    "atomic": (lambda a, b, c, n: (f"(?>{a}+)+{b}", a), lambda a, b, c, n: (f"{a}++{b}", a)),
    "recursion": (lambda a, b, c, n: (f"{a}(?R)?{b}", a), lambda a, b, c, n: (f"({a}(?1)?){b}", a)),
    "condition": (lambda a, b, c, n: (f"({a})?(?(1){b}|{c})", a),),
    "empty": (lambda a, b, c, n: (f"({a}*)*({b}|{c})?", a), lambda a, b, c, n: (f"({a}{b}{c}|)", a)),
}  # fmt: skip
"""Families that the dialect has no words for, or that match every event."""


def hostile(many: int) -> list[Hostile]:
    """So many patterns that the dialect reads, no two alike."""
    return _distinct(_made({**EXPONENTIAL, **POLYNOMIAL}), many)


def refused(many: int) -> list[Hostile]:
    """So many that must not be saved, no two alike."""
    return _distinct(_made(REFUSED), many)


def _distinct(made: Iterator[Hostile], many: int) -> list[Hostile]:
    found: dict[str, Hostile] = {}
    while len(found) < many:
        one = next(made)
        found.setdefault(one.pattern, one)
    return list(found.values())


def _made(families: dict[str, tuple[Maker, ...]]) -> Iterator[Hostile]:
    """Every family in turn: with bare letters once, which is worst, then each rule with words of its own, as rules are
    about something."""
    makers = [(family, make) for family, makes in families.items() for make in makes]
    for family, make in makers:
        yield Hostile(*make("a", "b", "c", 10), family, "b")
    numbers = count()
    while True:
        for family, make in makers:
            number = next(numbers)
            letter, tail = string.ascii_lowercase[number % 26], f"lost{number:x}"
            yield Hostile(*make(letter, tail, f"down{number:x}", 3 + number % 20), family, tail)
