"""Processes are known by pid and start time, and only those we started are ended."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.devstack.processes import (
    Child,
    StackFailed,
    end_left_behind,
    end_pid,
    lives,
    spawn,
    started_at,
    wait_until,
)

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
STUBBORN = [
    sys.executable, "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)",
]  # fmt: skip


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Child]:
    child = spawn("part", SLEEP, log=tmp_path / "log")
    yield child
    child.process.kill()
    child.process.wait()


def test_a_process_is_known_by_pid_and_start_time(child: Child) -> None:
    start = started_at(child.pid)
    assert lives((child.pid, start))
    assert not lives((child.pid, "another"))
    assert not lives((child.pid, None))
    assert not lives(None)


def test_a_dead_process_that_nobody_waited_for_does_not_live(child: Child) -> None:
    start = started_at(child.pid)
    os.kill(child.pid, signal.SIGKILL)
    wait_until(lambda: started_at(child.pid) is None, what="the end", deadline_s=10)
    assert not lives((child.pid, start))
    assert not end_pid(child.pid, start)


def test_another_process_of_the_same_pid_is_left_alone(child: Child) -> None:
    assert not end_pid(child.pid, "another")
    assert child.running


def test_what_does_not_listen_is_killed(tmp_path: Path) -> None:
    child = spawn("part", STUBBORN, log=tmp_path / "log")
    wait_until(lambda: "ready" in child.tail(), what="the part", child=child)
    assert end_pid(child.pid, started_at(child.pid), grace_s=0.1)
    assert child.process.wait(10) == -signal.SIGKILL


def test_what_is_left_of_a_stack_is_ended_and_named(child: Child) -> None:
    start = started_at(child.pid)
    parts = {"kafka": (child.pid, start), "match-1": (child.pid, "another"), "sink": (2**22 - 1, None)}
    assert end_left_behind(parts) == ["kafka"]
    assert child.process.wait(10) == -signal.SIGTERM


def test_a_part_that_ends_before_it_is_ready_says_why(tmp_path: Path) -> None:
    child = spawn("part", [sys.executable, "-c", "raise SystemExit('no such luck')"], log=tmp_path / "log")
    with pytest.raises(StackFailed, match=r"the part ended with status 1:\nno such luck"):
        wait_until(lambda: False, what="the part", child=child)


def test_somebody_elses_answer_does_not_make_an_ended_part_ready(tmp_path: Path) -> None:
    child = spawn("part", [sys.executable, "-c", ""], log=tmp_path / "log")
    child.process.wait(10)
    with pytest.raises(StackFailed, match="ended with status 0"):
        wait_until(lambda: True, what="the part", child=child)


def test_a_part_that_never_gets_ready(child: Child) -> None:
    with pytest.raises(StackFailed, match="is not ready after 0 s"):
        wait_until(lambda: False, what="the part", child=child, deadline_s=0.1)


def test_the_log_is_appended_to(tmp_path: Path) -> None:
    log = tmp_path / "log"
    for word in ("one", "two"):
        assert spawn("part", [sys.executable, "-c", f"print('{word}')"], log=log).process.wait(10) == 0
    assert log.read_text() == "one\ntwo\n"
