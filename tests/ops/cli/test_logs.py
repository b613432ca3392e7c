"""`muttdev logs` over a folder of logs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.programs import bare_environment, run_text

MATCH = '{"event":"rules in force","level":"info","timestamp":"2026-11-26T12:00:01Z","rules":4}\n'
EVIL = (
    '{"event":"\\u001b[2J\\u009b31m","level":"error","timestamp":"2026-11-26T12:00:03Z","exception":"a\\nb\\u007f"}\n'
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "match-1.log").write_text(MATCH)
    (tmp_path / "logs" / "match-2.log").write_text(EVIL)
    (tmp_path / "logs" / "kafka.log").write_text("2026-11-26 12:00:02,000 WARN slow (a.b)\n")
    return tmp_path


def logs(home: Path, *arguments: str, status: int = 0) -> str:
    done = run_text("muttdev", "logs", *arguments, environment=bare_environment(MUTT_HOME=str(home), TZ="UTC"))
    assert done.returncode == status, done.stderr
    return done.stderr if status else done.stdout


def test_all_parts_by_time_and_harmless(home: Path) -> None:
    assert logs(home) == (
        "12:00:01.000 match-1        info     rules in force rules=4\n"
        "12:00:02.000 kafka          warning  slow (a.b)\n"
        "12:00:03.000 match-2        error    \\x1b[2J\\x9b31m exception=a\n"
        "    b\\x7f\n"
    )


def test_json_is_json_and_ascii(home: Path) -> None:
    rows = logs(home, "--json", "--level", "error")
    assert rows.isascii()
    assert "\x7f" not in rows
    assert json.loads(rows) == {
        "at": "2026-11-26T12:00:03Z", "part": "match-2", "level": "error", "text": "\x1b[2J\x9b31m",
        "fields": {"exception": "a\nb\x7f"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["match"], ["match-1", "match-2"]),
        (["match-2", "kafka"], ["kafka", "match-2"]),
        (["--grep", "slow|rules=4"], ["match-1", "kafka"]),
        (["--since", "1s"], []),
    ],
    ids=" ".join,
)
def test_what_is_asked_for(home: Path, arguments: list[str], parts: list[str]) -> None:
    assert [line.split()[1] for line in logs(home, *arguments).splitlines() if line[0] != " "] == parts


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["mtach"], "no part is called 'mtach'; there are kafka, match-1, match-2"),
        (["--level", "loud"], "--level 'loud' is none of debug, info, warning"),
        (["--grep", "("], "--grep '('"),
        (["--since", "soon"], "'soon' is no length of time"),
    ],
)
def test_what_is_wrong_is_said(home: Path, arguments: list[str], says: str) -> None:
    assert says in logs(home, *arguments, status=2)


def test_without_a_stack_it_says_how_to_start_one(tmp_path: Path) -> None:
    assert "muttdev up" in logs(tmp_path, status=1)
