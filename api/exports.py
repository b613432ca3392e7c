"""CSV as spreadsheets may open it: no cell is a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

import msgspec

CSV = "text/csv; charset=utf-8"

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_line(cells: Iterable[object]) -> str:
    """One line (RFC 4180). Nothing is an empty cell, an object its JSON; what a spreadsheet would run gets a quote."""
    line = io.StringIO()
    csv.writer(line).writerow([_cell(cell) for cell in cells])
    return line.getvalue()


def _cell(cell: object) -> str:
    if cell is None:
        return ""
    text = cell if isinstance(cell, str) else msgspec.json.encode(cell).decode()
    return "'" + text if text.startswith(_FORMULA) and isinstance(cell, str) else text
