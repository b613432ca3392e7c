"""CSV that no spreadsheet runs (K24)."""

from __future__ import annotations

import csv

import pytest

from api.exports import csv_line


@pytest.mark.parametrize("text", ["=cmd", "+1", "-1", "@x", "\tx", "\rx"])
def test_K24_what_begins_like_a_formula_gets_a_quote(text: str) -> None:
    assert next(csv.reader([csv_line([text, "b"])], strict=True)) == ["'" + text, "b"]


def test_nothing_is_an_empty_cell_and_an_object_its_json() -> None:
    cells = [None, "", 5, -5, {"a": [1, "x"]}, 'with "quotes", commas']
    line = csv_line(cells)
    assert line.endswith("\r\n")
    assert next(csv.reader([line])) == ["", "", "5", "-5", '{"a":[1,"x"]}', 'with "quotes", commas']
