"""Changes inputs blindly: bits, bytes, cuts, repeats, splices, and words that parsers trip over."""

from __future__ import annotations

import random
from collections.abc import Sequence

WORDS = (
    b"\0", b"\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xc3", b"\\u0000", b"\\ud800", b'"', b"\\", b"{", b"}", b"[",
    b"]", b":",
    b",", b"null", b"NaN", b"1e400", b"-1", b"9" * 20, b" ", b"\n", b"\r\n", b"<34>", b"1 ", b"- ", b"@", b"#", b"%",
    b"/",
    b"(", b")", b"*", b"+", b"?", b"|", b"{1,9}", b"^", b"$",
)  # fmt: skip


def mutated(draw: random.Random, known: Sequence[bytes]) -> bytes:
    """One of the known inputs, changed one to six times."""
    data = bytearray(draw.choice(known))
    for _ in range(draw.randint(1, 6)):
        at = draw.randint(0, len(data))
        end = min(len(data), at + draw.choice((1, 1, 2, 4, 16, 64)))
        how = draw.randrange(7)
        if how == 0:
            data[at:at] = draw.choice(WORDS)
        elif how == 1 and at < len(data):
            data[at] ^= 1 << draw.randrange(8)
        elif how == 2 and at < len(data):
            data[at] = draw.randrange(256)
        elif how == 3:
            del data[at:end]
        elif how == 4:
            data[at:at] = data[at:end] * draw.choice((1, 2, 8, 70))
        elif how == 5:
            other = draw.choice(known)
            cut = draw.randint(0, len(other))
            data[at:] = other[cut:]
        else:
            data[at:end] = draw.choice(WORDS)
    return bytes(data)
