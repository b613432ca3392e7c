"""Log files that grow, are cut, replaced and made anew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ops.logs.files import LONGEST, Logs, Tail
from ops.logs.lines import LogLine


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.log"


@pytest.fixture
def tail(path: Path) -> Iterator[Tail]:
    with closing(Tail(path)) as tail:
        yield tail


def line(second: int, text: str) -> str:
    return f"2026-11-26T12:00:{second:02}.000Z [INFO]  {text}\n"


def texts(lines: Iterable[LogLine]) -> list[str]:
    return [f"{each.part} {each.text}" for each in lines]


def test_all_files_are_one_stream_by_time(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(line(1, "one") + line(4, "four") + "  of two lines")
    (tmp_path / "b.log").write_text(line(2, "two") + line(3, "three"))
    (tmp_path / "received.jsonl").write_text("{}\n")
    with closing(Logs(tmp_path, lambda part: True)) as logs:
        check_one_stream(tmp_path, logs)


def check_one_stream(tmp_path: Path, logs: Logs) -> None:
    assert texts(logs.so_far()) == ["a one", "b two", "b three", "a four", "a   of two lines"]
    with (tmp_path / "a.log").open("a") as a, (tmp_path / "b.log").open("a") as b:
        a.write("\n" + line(6, "six"))
        b.write(line(5, "five"))
    (tmp_path / "c.log").write_text(line(7, "a part that came later"))
    assert texts(logs.new()) == ["a ", "b five", "a six", "c a part that came later"]
    assert logs.new() == []


def test_only_the_parts_that_are_wanted(tmp_path: Path) -> None:
    for part in ("a", "b"):
        (tmp_path / f"{part}.log").write_text(line(1, "x"))
    with closing(Logs(tmp_path, lambda part: part == "b")) as logs:
        assert texts(logs.so_far()) == ["b x"]


def test_a_line_is_shown_when_it_is_whole(path: Path, tail: Tail) -> None:
    path.write_bytes(b"half")
    assert list(tail.lines()) == []
    with path.open("ab") as file:
        file.write(b" and half\r\nmore")
    assert list(tail.lines()) == [b"half and half"]
    assert list(tail.end()) == [b"more"]


def test_a_file_that_is_replaced_is_read_to_its_end_first(path: Path, tail: Tail) -> None:
    path.write_bytes(b"one\n")
    assert list(tail.lines()) == [b"one"]
    with path.open("ab") as file:
        file.write(b"two\nthree, cut of")
    path.rename(path.with_suffix(".1"))
    assert list(tail.lines()) == [b"two"]
    path.write_bytes(b"four\n")
    assert list(tail.lines()) == [b"three, cut of", b"four"]


def test_a_file_that_is_cut_is_read_from_its_beginning(path: Path, tail: Tail) -> None:
    path.write_bytes(b"one\ntwo\nthree\n")
    list(tail.lines())
    path.write_bytes(b"four\n")  # the same file, as copytruncate leaves it
    assert list(tail.lines()) == [b"four"]


def test_a_file_may_go_and_come(path: Path, tail: Tail) -> None:
    assert list(tail.lines()) == []
    path.write_bytes(b"one\n")
    assert list(tail.lines()) == [b"one"]
    path.unlink()
    assert list(tail.lines()) == []


def test_no_line_is_held_beyond_its_bound(path: Path, tail: Tail) -> None:
    path.write_bytes(b"x" * (LONGEST + 5) + b"\n")
    assert [len(piece) for piece in tail.lines()] == [LONGEST, 5]
