"""Rows of a MUTT 2.5 database out of files: a plain dump of PostgreSQL (COPY or INSERT), or CSV with a header."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import NamedTuple

from schemas.errors import Refused

SIZE_LIMIT = 64 * 1024 * 1024
"""Bytes of a file."""
ROWS_LIMIT = 200_000
CELL_LIMIT = 64 * 1024
"""Characters of a value."""

TABLES = ("alert_rules", "development_hosts", "device_teams")
"""What is read; all other tables of a dump are passed over."""

Values = Mapping[str, str | None]


class OldRow(NamedTuple):
    """One row as text by column, null as None; and the line (from 1) it begins on."""

    table: str
    line: int
    values: Values


def read_rows(content: bytes) -> list[OldRow]:
    """Every row of our three tables in a file. Raises Refused, naming the line, for what is neither dump nor CSV."""
    if len(content) > SIZE_LIMIT:
        raise Refused(f"{len(content):,} bytes; at most {SIZE_LIMIT:,}")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = 1 + content[: error.start].count(b"\n")
        raise Refused(f"line {line}: not UTF-8") from None
    if "\0" in text:
        raise Refused(f"line {1 + text.count(chr(10), 0, text.index(chr(0)))}: a NUL character")
    rows: list[OldRow] = []
    for row in _dump(text) if _STATEMENT.search(text) else _csv(text):
        rows.append(row)
        if len(rows) > ROWS_LIMIT:
            raise Refused(f"line {row.line}: more than {ROWS_LIMIT:,} rows")
        if any(len(value or "") > CELL_LIMIT for value in row.values.values()):
            raise Refused(f"line {row.line}: a value of more than {CELL_LIMIT:,} characters")
    return rows


# -- CSV --------------------------------------------------------------------------------------------------------


def _csv(text: str) -> Iterator[OldRow]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        table = _table_of(header)
        begin = reader.line_num + 1
        for cells in reader:
            if cells:
                yield OldRow(table, begin, _values(header, [cell or None for cell in cells], begin))
            begin = reader.line_num + 1
    except csv.Error as error:
        raise Refused(f"line {reader.line_num}: CSV: {error}") from None


def _table_of(header: Sequence[str]) -> str:
    """The table that has these columns. Raises Refused."""
    names = set(header)
    if len(names) < len(header):
        raise Refused("line 1: a column stands there twice")
    if "prod_handling" in names:
        return "alert_rules"
    if "hostname" in names:
        return "device_teams" if "team_assignment" in names else "development_hosts"
    raise Refused("line 1: neither a dump with COPY or INSERT nor CSV with the columns of rules, hosts or teams")


def _values(columns: Sequence[str], cells: Sequence[str | None], line: int) -> Values:
    if len(cells) != len(columns):
        raise Refused(f"line {line}: {len(cells)} values for {len(columns)} columns")
    return dict(zip(columns, cells, strict=True))


# -- a dump -----------------------------------------------------------------------------------------------------

_NAME = r'(?:"?\w+"?\.)?"?(\w+)"?'
_CAST = r'(?:::[\w \[\]".()]*[\w\])"])?'
_STATEMENT = re.compile(rf"^(?:COPY|INSERT INTO)\s+{_NAME}\s", re.MULTILINE)
_COPY = re.compile(rf"COPY\s+{_NAME}\s*\(([^()\n]*)\)\s+FROM\s+stdin;[ \t]*\r?(?=\n)")
_INSERT = re.compile(rf"INSERT INTO\s+{_NAME}\s*(?:\(([^()']*)\)\s*)?(?:OVERRIDING SYSTEM VALUE\s*)?VALUES\s*")
_ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]{1,2}|[0-7]{1,3}|.)", re.DOTALL)
_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_QUOTED = re.compile(rf"\s*'((?:[^']|'')*+)'{_CAST}\s*([,)])")
_ESCAPING = re.compile(rf"\s*[Ee]'((?:[^'\\]|''|\\.)*+)'{_CAST}\s*([,)])", re.DOTALL)
_BARE = re.compile(rf"\s*([^\s,()';]++){_CAST}\s*([,)])")
_NEXT = re.compile(r"\s*([,;])\s*")


class _Lines:
    """Counts lines up to places that only ever lie further on."""

    def __init__(self, text: str) -> None:
        self._text, self._at, self._line = text, 0, 1

    def of(self, at: int) -> int:
        self._line += self._text.count("\n", self._at, at)
        self._at = at
        return self._line


def _dump(text: str) -> Iterator[OldRow]:
    at, lines = 0, _Lines(text)
    while found := _STATEMENT.search(text, at):
        line = lines.of(found.start())
        if copied := _COPY.match(text, found.start()):
            end = text.find("\n\\.", copied.end())
            if end < 0:
                raise Refused(f"line {line}: COPY without its end, a line \\.")
            yield from _copied(copied, text[copied.end() + 1 : end], line + 1)
            at = end + 3
        elif inserted := _INSERT.match(text, found.start()):
            at = yield from _inserted(inserted, text, lines)
        else:
            raise Refused(f"line {line}: {text[found.start() : found.start() + 60]!r} cannot be read")


def _columns(text: str) -> list[str]:
    return [name.strip().strip('"').lower() for name in text.split(",")]


def _copied(head: re.Match[str], body: str, line: int) -> Iterator[OldRow]:
    if head[1] not in TABLES or not body:
        return
    columns = _columns(head[2])
    for number, text in enumerate(body.split("\n"), line):
        cells = [None if cell == "\\N" else _unescaped(cell) for cell in text.removesuffix("\r").split("\t")]
        yield OldRow(head[1], number, _values(columns, cells, number))


def _unescaped(cell: str) -> str:
    return _ESCAPE.sub(_character, cell) if "\\" in cell else cell


def _character(escape: re.Match[str]) -> str:
    word = escape[1]
    if word[0] == "x" and len(word) > 1:
        return chr(int(word[1:], 16))
    return chr(int(word, 8)) if word.isdecimal() and word.isascii() else _ESCAPED.get(word, word)


def _inserted(head: re.Match[str], text: str, lines: _Lines) -> Generator[OldRow, None, int]:
    """The rows of one INSERT; returns where it ends. Other tables' are read too: text in them is no statement."""
    ours, at = head[1] in TABLES, head.end()
    if ours and not head[2]:
        raise Refused(f"line {lines.of(at)}: INSERT without columns; dump with COPY, or with --column-inserts")
    columns = _columns(head[2] or "")
    while True:
        line = lines.of(at)
        if not text.startswith("(", at):
            raise Refused(f"line {line}: INSERT cannot be read")
        cells, at = _tuple(text, at + 1, line)
        if ours:
            yield OldRow(head[1], line, _values(columns, cells, line))
        after = _NEXT.match(text, at)
        if after is None:
            raise Refused(f"line {line}: INSERT without its end")
        at = after.end()
        if after[1] == ";":
            return at


def _tuple(text: str, at: int, line: int) -> tuple[list[str | None], int]:
    """The values between two brackets, and the place behind them."""
    cells: list[str | None] = []
    while True:
        found = _QUOTED.match(text, at)
        if found is not None:
            cells.append(found[1].replace("''", "'"))
        elif (found := _ESCAPING.match(text, at)) is not None:
            cells.append(_unescaped(found[1].replace("''", "'")))
        elif (found := _BARE.match(text, at)) is not None:
            cells.append(None if found[1].upper() == "NULL" else found[1])
        else:
            raise Refused(f"line {line}: value {len(cells) + 1} cannot be read")
        at = found.end()
        if found[2] == ")":
            return cells, at
