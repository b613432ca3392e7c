"""What a batch's statement would do is read from its Bind, and what became of it from the server's answer."""

from __future__ import annotations

import struct

import pytest

from tests.chaos.late import ENDED, REFUSED, TAKEN, Late, outcome, statement

ANY_MORE = b"a parameter"


def typed(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack(">i", 4 + len(body)) + body


def parameters(*values: bytes) -> bytes:
    return struct.pack(">h", len(values)) + b"".join(struct.pack(">i", len(value)) + value for value in values)


BOUND = typed(b"2", b"")
ROW = typed(b"D", struct.pack(">hiq", 1, 8, 17))
READY = typed(b"Z", b"I")


@pytest.mark.parametrize("formats", [(), (1,), (1, 1, 1, 1, 1, 1)])
def test_a_bind_tells_which_records_it_is_about(formats: tuple[int, ...]) -> None:
    offsets = struct.pack(">q", 70_000), struct.pack(">q", 70_040)
    values = parameters(b"mutt.ingest.raw", struct.pack(">i", 3), struct.pack(">i", 1), *offsets, ANY_MORE)
    head = b"portal\0stmt_1\0" + struct.pack(f">h{len(formats)}h", len(formats), *formats)
    assert statement(typed(b"B", head + values)) == Late("mutt.ingest.raw", 3, 70_000, 70_040)


@pytest.mark.parametrize(
    ("answer", "became"),
    [
        (BOUND + typed(b"C", b"SELECT 0\0") + READY, REFUSED),
        (BOUND + ROW + typed(b"C", b"SELECT 1\0") + READY, TAKEN),
        (BOUND + typed(b"E", b"SERROR\0C23505\0Mduplicate key\0\0") + READY, "23505"),
        (typed(b"E", b"SFATAL\0C25P03\0Mterminating connection\0\0"), ENDED),
        (BOUND + typed(b"C", b"SELECT 0\0")[:-1], None),
        (BOUND, None),
        (b"", None),
    ],
)
def test_an_answer_tells_what_became_of_it(answer: bytes, became: str | None) -> None:
    assert outcome(answer) == became
