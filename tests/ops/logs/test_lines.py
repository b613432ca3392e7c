"""Lines of every part's log, as they were written."""

from __future__ import annotations

import datetime as dt
import os
import time
from collections.abc import Iterator

import pytest

from ops.logs.lines import LONG_AGO, Level, Reader


@pytest.fixture
def in_kolkata() -> Iterator[None]:
    """The machine is five and a half hours ahead."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Asia/Kolkata"
    time.tzset()
    yield
    os.environ.pop("TZ")
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


def at(hour: int, minute: int, second: int, microsecond: int) -> dt.datetime:
    return dt.datetime(2026, 11, 26, hour, minute, second, microsecond, dt.UTC)


def test_a_line_of_mutt_keeps_its_fields() -> None:
    line = (
        b'{"version":19,"rules":4,"event":"rules in force","level":"warning",'
        b'"timestamp":"2026-11-26T12:12:03.877077Z","service":"match"}'
    )
    found = Reader("match-1").read(line)
    assert (found.part, found.at, found.level) == ("match-1", at(12, 12, 3, 877077), Level.WARNING)
    assert (found.text, found.fields) == ("rules in force", {"version": 19, "rules": 4})


def test_a_line_of_kafka_has_the_time_of_the_machine(in_kolkata: None) -> None:
    line = b"2026-11-26 17:42:00,450 ERROR [GroupCoordinator id=1] Error deleting share group mutt-match"
    found = Reader("kafka").read(line)
    assert (found.at, found.level) == (at(12, 12, 0, 450000), Level.ERROR)
    assert found.text == "[GroupCoordinator id=1] Error deleting share group mutt-match"


@pytest.mark.parametrize(
    ("line", "level", "text"),
    [
        (b"2026-11-26 12:12:00.450 UTC [77] LOG:  database system is ready", Level.INFO, "database system is ready"),
        (b"2026-11-26 12:12:00.450 UTC [77] FATAL:  the database is gone", Level.CRITICAL, "the database is gone"),
        (b"2026-11-26T12:12:00.450Z [WARN]  storage.raft: no part", Level.WARNING, "storage.raft: no part"),
        (b"2026-11-26T14:12:00.450+02:00 [INFO]  core: unsealed", Level.INFO, "core: unsealed"),
    ],
    ids=["postgres", "postgres fatal", "openbao", "openbao with its zone"],
)  # fmt: skip
def test_lines_of_the_other_servers(line: bytes, level: Level, text: str) -> None:
    found = Reader("x").read(line)
    assert (found.at, found.level, found.text) == (at(12, 12, 0, 450000), level, text)


def test_what_explains_a_line_is_as_grave_and_as_old_as_that() -> None:
    reader = Reader("postgres")
    reader.read(b"2026-11-26 12:12:00.450 UTC [77] ERROR:  duplicate key")
    detail = reader.read(b"2026-11-26 12:12:00.451 UTC [77] DETAIL:  Key (id)=(1) already exists.")
    more = reader.read(b"\tof two lines")
    assert (detail.level, more.level, more.at) == (Level.ERROR, Level.ERROR, detail.at)


@pytest.mark.parametrize(
    "line",
    [b"", b"{", b"{}", b'{"timestamp":7}', b'{"timestamp":"soon"}', b"\xff\x00\x1b[2J", b"2026-13-45 99:99:99,0 WARN"],
)  # fmt: skip
def test_no_line_is_too_strange(line: bytes) -> None:
    assert Reader("sink").read(line).at == LONG_AGO
