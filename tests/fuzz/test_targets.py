"""The corpus of every fuzz target holds, and so do inputs made of it: what fuzzing found once is looked at for good."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.fuzz.corpus import escaped, inputs, unescaped
from tests.fuzz.mutations import mutated
from tests.fuzz.one import LONGEST, blind
from tests.fuzz.parsers import fuzz_parsers
from tests.fuzz.targets import TARGETS

CHANGED = 300


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_in_the_corpus_holds(name: str) -> None:
    check, known = TARGETS[name].check(), list(inputs(name))
    assert known
    for data in (*known, b"", b"\x00", b"\xff" * LONGEST):
        check(data)


@pytest.mark.parametrize("name", TARGETS)
def test_so_does_what_is_made_of_it(name: str) -> None:
    check, known = TARGETS[name].check(), list(inputs(name))
    draw = random.Random(7)
    for _ in range(CHANGED):
        check(mutated(draw, known)[:LONGEST])


def test_a_failure_is_told_with_an_input_that_fits_the_corpus(tmp_path: Path) -> None:
    def check(data: bytes) -> None:
        assert b"{" not in data

    assert blind("codec", check, 60, 7, tmp_path) == 77
    (found,) = tmp_path.iterdir()
    assert b"{" in found.read_bytes()


def test_a_run_reports_what_it_did() -> None:
    report = fuzz_parsers(["cursors"], 1, 0)
    assert report["ok"], report
    assert report["executions"] > 0
    assert report["targets"]["cursors"]["crashes"] == []


@pytest.mark.campaign
@pytest.mark.timeout(1_200)
def test_a_minute_of_each_finds_nothing() -> None:
    report = fuzz_parsers(TARGETS, 60, 1)
    assert report["ok"], report


@pytest.mark.parametrize("data", [b"", b"\n\r\\", bytes(range(256)), "é\u2028".encode()])
def test_an_input_is_one_line_of_text(data: bytes) -> None:
    line = escaped(data)
    assert line.isascii()
    assert line.isprintable()
    assert unescaped(line) == data
