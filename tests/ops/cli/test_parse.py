"""`mutt parse` as an operator runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from schemas.syslog import LINE_LIMIT
from tests import programs

COMMAND = [sys.executable, "-c", "from ops.cli.mutt import main; main()", "parse"]
LINE = b"<34>Oct 11 22:14:15 h su[7]: x"


def run(*arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return programs.run("mutt", "parse", *arguments, given=given, environment=programs.bare_environment())


def parsed(given: bytes) -> list[dict[str, Any]]:
    done = run("-", given=given)
    assert (done.returncode, done.stderr) == (0, b"")
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_one_object_a_line(tmp_path: Path) -> None:
    file = tmp_path / "lines.log"
    file.write_bytes(
        LINE + b'\r\n<165>1 2003-10-11T22:14:15.003Z h a - - [i@1 k="v"] m\nanything\n\n<34>\n' + b"caf\xe9 without end"
    )
    done = run(str(file))
    assert done.returncode == 0
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {
            "timestamp": "Oct 11 22:14:15",
            "hostname": "h",
            "message": "x",
            "source": "syslog",
            "syslog_severity": 2,
            "facility": 4,
            "program": "su",
            "procid": "7",
            "format": "rfc3164",
            "flags": ["no_event_time"],
        },
        {
            "timestamp": "2003-10-11T22:14:15.003Z",
            "hostname": "h",
            "message": "m",
            "source": "syslog",
            "syslog_severity": 5,
            "facility": 20,
            "program": "a",
            "structured_data": {"i@1": {"k": "v"}},
            "format": "rfc5424",
            "event_time": "2003-10-11T22:14:15.003000Z",
        },
        {
            "hostname": "unknown",
            "message": "anything",
            "source": "syslog",
            "format": "other",
            "flags": ["no_event_time"],
        },
        {"error": "empty", "detail": "no bytes, or white space only"},
        {"error": "line", "detail": "a PRI alone, or only control characters"},
        {
            "hostname": "unknown",
            "message": "café without end",
            "source": "syslog",
            "format": "other",
            "flags": ["no_event_time", "latin1"],
        },
    ]


def test_nothing_in_gives_nothing_out() -> None:
    assert parsed(b"") == []


def test_K21_K23_the_output_cannot_drive_a_terminal() -> None:
    hostile = "\x1b]0;x\x07 \x1b[2J \x9b \x7f \r \u202e \u2028 é"
    done = run(given=hostile.encode())
    assert all(0x20 <= byte < 0x7F for byte in done.stdout.removesuffix(b"\n"))
    assert json.loads(done.stdout)["message"] == hostile


def test_lines_beyond_the_limit_are_named_and_the_next_is_read() -> None:
    found = parsed(b"x" * LINE_LIMIT + b"\n" + b"y" * (LINE_LIMIT + 1) + b"\n" + b"z" * (3 * LINE_LIMIT) + b"\n" + LINE)
    assert [row.get("error", row.get("format")) for row in found] == ["other", "too_large", "too_large", "rfc3164"]


def test_C1_a_missing_file_is_one_line() -> None:
    done = run("/no/such\x1bfile")
    assert done.returncode == 65
    assert done.stderr == b"mutt: /no/such\\x1bfile: No such file or directory\n"


def test_C1_an_unknown_flag() -> None:
    assert run("--nonsense").returncode == 2


def test_C1_stdin_closed() -> None:
    done = subprocess.run(["sh", "-c", '"$@" <&-', "sh", *COMMAND], capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_C1_a_full_disk() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(COMMAND, input=LINE, stdout=full, stderr=subprocess.PIPE, timeout=60, check=False)
    assert done.returncode == 74
    assert done.stderr == b"mutt: cannot write: No space left on device\n"


def test_C1_a_closed_pipe_ends_a_hundred_thousand_lines(tmp_path: Path) -> None:
    file = tmp_path / "many.log"
    file.write_bytes((LINE + b"\n") * 100_000)
    assert run(str(file)).stdout.count(b"\n") == 100_000
    with subprocess.Popen([*COMMAND, str(file)], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 141
