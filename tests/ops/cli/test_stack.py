"""What `muttdev` says of a stack that is not up, or of a part that it has not; nothing is started."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ops.devstack.layout import Layout
from ops.devstack.processes import started_at
from tests.programs import bare_environment, run_text


def muttdev(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_text("muttdev", *arguments, environment=bare_environment(MUTT_HOME=str(home)))


def stack(home: Path, **state: Any) -> Layout:
    layout = Layout(home)
    layout.create()
    layout.save(state)
    return layout


@pytest.fixture
def alive() -> Iterator[list[Any]]:
    """A process that lives, as the stack remembers it."""
    with subprocess.Popen(["sleep", "600"]) as process:
        yield [process.pid, started_at(process.pid)]
        process.kill()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("restart", "api"), "the stack is not running; start it with: muttdev up"),
        (("doctor",), "the stack is not running; start it with: muttdev up (it failed: no room)"),
    ],
)
def test_a_stack_that_is_not_up_is_said_in_one_line(tmp_path: Path, arguments: tuple[str, ...], named: str) -> None:
    stack(tmp_path / "home", failed="no room")
    done = muttdev(tmp_path / "home", *arguments)
    assert (done.returncode, done.stderr) == (69, f"muttdev: {named}\n")


def test_what_was_left_behind_is_named(tmp_path: Path, alive: list[Any]) -> None:
    stack(tmp_path / "home", processes={"kafka": alive, "postgres": [1, "never"]})
    done = muttdev(tmp_path / "home", "status")
    assert done.returncode == 1
    assert done.stdout == "the stack is not running; start it with: muttdev up (left behind: kafka)\n"


@pytest.mark.parametrize(
    ("part", "named"),
    [("apy", "no part is called 'apy'; there are api, kafka"), ("kafka", "kafka keeps the whole stack up")],
)
def test_only_a_part_of_its_own_is_started_again(tmp_path: Path, alive: list[Any], part: str, named: str) -> None:
    stack(tmp_path / "home", supervisor=alive, processes={"api": alive, "kafka": alive})
    done = muttdev(tmp_path / "home", "restart", part)
    assert (done.returncode, done.stdout) == (2, "")
    assert named in done.stderr


def test_the_doctor_names_a_part_that_is_down_before_it_asks_the_servers(tmp_path: Path, alive: list[Any]) -> None:
    stack(tmp_path / "home", supervisor=alive, processes={"api": [1, "never"]}, ports={"postgres": 1, "kafka": 1})
    done = muttdev(tmp_path / "home", "doctor")
    assert done.returncode == 69
    assert done.stderr.startswith("wrong    api is down: see ")


def test_nothing_to_send_is_said(tmp_path: Path) -> None:
    done = muttdev(tmp_path / "home", "send")
    assert (done.returncode, "nothing to send" in done.stderr) == (2, True)
