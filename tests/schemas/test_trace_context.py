"""Which `traceparent` goes along: W3C Trace Context, 3.2."""

from __future__ import annotations

import pytest

from schemas.trace_context import traceparent

GOOD = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize("value", [GOOD, GOOD.encode(), "cc" + GOOD[2:]])
def test_well_formed(value: str | bytes) -> None:
    assert traceparent([value]) == (value if isinstance(value, str) else value.decode())


@pytest.mark.parametrize(
    "values",
    [
        [], [None], [GOOD, GOOD], [""], [b""],
        [GOOD.upper()], [GOOD + "\n"], [" " + GOOD[1:]], [GOOD[:-1]], ["ff" + GOOD[2:]],
        [GOOD.replace("0af7651916cd43dd8448eb211c80319c", "0" * 32)],
        [GOOD.replace("b7ad6b7169203331", "0" * 16)],
        [GOOD[:-2].encode() + b"\xff1"], ["0" * 10_000],
    ],
)  # fmt: skip
def test_anything_else_is_dropped(values: list[str | bytes | None]) -> None:
    assert traceparent(values) is None
