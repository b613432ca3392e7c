"""The balance sheet finds holes, and reads what the receiver answered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ops.demo.books import Sheet, holes, read_receiver

T = "mutt.ingest.raw"


def row(first: int, after: int, partition: int = 0) -> dict[str, Any]:
    return {"topic": T, "partition": partition, "first_offset": first, "next_offset": after}


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([row(0, 4), row(4, 9)], []),
        ([row(0, 4), row(5, 9)], [f"{T}-0: 4 to 5"]),
        ([row(0, 4), row(3, 9)], [f"{T}-0: 4 to 3"]),
        ([row(1, 9)], [f"{T}-0: 0 to 1"]),
        ([row(0, 8)], [f"{T}-0: 8 to 9"]),
        ([row(0, 10)], [f"{T}-0: 10 to 9"]),
        ([], [f"{T}-0: 0 to 9"]),
        ([row(0, 9), row(0, 2, partition=1)], [f"{T}-1: 2 to 0"]),
    ],
)
def test_ranges_must_tile_the_whole_log(rows: list[dict[str, Any]], found: list[str]) -> None:
    assert holes(rows, {(T, 0): 9}) == found


def test_the_receivers_log_tells_accepted_from_refused_and_sees_duplicates(tmp_path: Path) -> None:
    posts = [("a", 200), ("b", 503), ("b", 200), ("a", 202), ("c", 422), ("probe-1", 200)]
    log = tmp_path / "received.jsonl"
    log.write_text("".join(json.dumps({"id": name, "status": status}) + "\n" for name, status in posts))
    received = read_receiver(log)
    assert dict(received.accepted) == {"a": 2, "b": 1}
    assert dict(received.refused) == {503: 1, 422: 1}
    assert received.duplicates == 1


def test_one_line_that_does_not_hold_unbalances_the_sheet() -> None:
    sheet = Sheet()
    sheet.equal("same", 1, 1)
    assert sheet.balanced
    sheet.equal("different", 1, 2)
    assert not sheet.balanced
