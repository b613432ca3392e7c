"""Inputs that fuzzing begins with, and those that once failed: text, one escaped input a line, one folder a target."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).parent
SEEDS, FAILURES = "seeds.txt", "failures.txt"


def inputs(target: str) -> Iterator[bytes]:
    """Those of one target."""
    for name in (SEEDS, FAILURES):
        path = FOLDER / target / name
        if path.exists():
            yield from map(unescaped, path.read_text(encoding="ascii").split("\n")[:-1])


def escaped(data: bytes) -> str:
    """One line of ASCII."""
    return data.decode("latin-1").encode("unicode_escape").decode("ascii")


def unescaped(line: str) -> bytes:
    return line.encode("ascii").decode("unicode_escape").encode("latin-1")


def unpack(target: str, folder: Path) -> None:
    """The inputs as files, as fuzzers want them."""
    folder.mkdir(parents=True, exist_ok=True)
    for data in inputs(target):
        (folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
