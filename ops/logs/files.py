"""Reads log files that grow, are cut, replaced and made anew; all of them as one stream, ordered by time."""

from __future__ import annotations

import heapq
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from ops.logs.lines import LogLine, Reader

LONGEST = 1024 * 1024
"""Bytes of one line that are held; what is longer comes in pieces."""


class Tail:
    """One file from its beginning; each call gives the lines that came since the last. To be closed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._rest = b""

    def lines(self) -> Iterator[bytes]:
        """Without their line feed. A file that was put in the place of ours is read after what ours still holds."""
        yield from self._came()
        if self._replaced():
            if self._rest:
                yield self._take_rest()
            self.close()
            self._file = _opened(self._path)
            yield from self._came()

    def _came(self) -> Iterator[bytes]:
        if self._file is None:
            return
        if os.fstat(self._file.fileno()).st_size < self._file.tell():  # it was cut
            self._file.seek(0)
            self._rest = b""
        while piece := self._file.readline(LONGEST):
            self._rest += piece
            if self._rest.endswith(b"\n") or len(self._rest) >= LONGEST:
                yield self._take_rest()

    def end(self) -> Iterator[bytes]:
        """The last line, when it has no line feed yet."""
        if self._rest:
            yield self._take_rest()

    def _take_rest(self) -> bytes:
        line, self._rest = self._rest.rstrip(b"\r\n"), b""
        return line

    def _replaced(self) -> bool:
        """Whether another file has the name now; also when we have none yet."""
        try:
            there = self._path.stat()
        except FileNotFoundError:
            return False
        ours = None if self._file is None else os.fstat(self._file.fileno())
        return ours is None or (ours.st_dev, ours.st_ino) != (there.st_dev, there.st_ino)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None


def _opened(path: Path) -> BinaryIO | None:
    try:
        return path.open("rb")
    except FileNotFoundError:  # again on its way
        return None


class Logs:
    """The logs of a folder, `PART.log` each. `wanted` says which parts; those that come later are read too.

    To be closed.
    """

    def __init__(self, folder: Path, wanted: Callable[[str], bool]) -> None:
        self._folder = folder
        self._wanted = wanted
        self._open: dict[str, tuple[Tail, Reader]] = {}

    def so_far(self) -> Iterator[LogLine]:
        """What the files hold now, ordered by time."""
        self._look()
        return _by_time(self._all(tail, reader) for tail, reader in self._open.values())

    def new(self) -> list[LogLine]:
        """What came since, ordered by time."""
        self._look()
        came = [reader.read(line) for tail, reader in self._open.values() for line in tail.lines()]
        return sorted(came, key=lambda line: line.at)

    def close(self) -> None:
        for tail, _ in self._open.values():
            tail.close()

    def _look(self) -> None:
        for part in parts(self._folder):
            if part not in self._open and self._wanted(part):
                self._open[part] = Tail(self._folder / f"{part}.log"), Reader(part)

    @staticmethod
    def _all(tail: Tail, reader: Reader) -> Iterator[LogLine]:
        return (reader.read(line) for lines in (tail.lines(), tail.end()) for line in lines)


def _by_time(files: Iterable[Iterable[LogLine]]) -> Iterator[LogLine]:
    return heapq.merge(*files, key=lambda line: line.at)


def parts(folder: Path) -> list[str]:
    """The parts that have a log there."""
    return sorted(file.stem for file in folder.glob("*.log"))
