"""`muttdev` as a person uses it: up, status, send, down, and what goes wrong in between."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ops.devstack.processes import lives
from schemas.settings import is_setting
from tests.architecture.documents import MUTTDEV, ROOT
from tests.integration.walkthrough import Step, steps, walk
from tests.programs import bare_environment, run_text

FAR_TOO_LONG_S = 60
PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
QUICKSTART = ROOT / "docs" / "QUICKSTART.md"


class Laptop:
    """Runs `mutt` and `muttdev` with one home folder."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environment = bare_environment(MUTT_HOME=str(home))

    def run(self, *command: str, given: str = "", status: int = 0) -> Any:
        """The last line of output, read as JSON; the line on standard error where the status is not 0 or 1."""
        done = run_text(*command, given=given, environment=self.environment, within=180)
        assert done.returncode == status, done.stderr
        if status > 1:
            assert done.stderr.count("\n") == 1, done.stderr
            return done.stderr
        assert done.stderr == ""
        return json.loads(done.stdout.splitlines()[-1])

    @property
    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads((self.home / "state.json").read_text())
        return state

    def sourced(self) -> Laptop:
        """Another terminal, after `set -a; . env`."""
        done = subprocess.run(
            ["sh", "-c", 'set -a; . "$1"; env -0', "sh", self.home / "env"], capture_output=True, check=True
        )
        pairs = (entry.split("=", 1) for entry in done.stdout.decode().split("\0") if "=" in entry)
        terminal = Laptop(self.home)
        terminal.environment |= {name: value for name, value in pairs if is_setting(name)}
        return terminal


@pytest.fixture
def laptop(tmp_path: Path) -> Iterator[Laptop]:
    laptop = Laptop(tmp_path / "a 'hömé' with spaces" / ".mutt")
    yield laptop
    laptop.run("muttdev", "down", "--purge", "--json")
    assert not laptop.home.exists()


def until(met: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + FAR_TOO_LONG_S
    while not met():
        assert time.monotonic() < end, what
        time.sleep(0.1)


@pytest.mark.timeout(900)
def test_a_day_with_the_stack(laptop: Laptop, tmp_path: Path) -> None:
    up = laptop.run("muttdev", "up", "--json")
    assert up["ok"]
    assert all(up["parts"].values())
    assert laptop.run("muttdev", "up", "--json") == up
    *day, down = steps(QUICKSTART)
    assert len(day) > 15
    _walk(day, laptop)
    _send(laptop, tmp_path)
    _a_worker_dies_and_comes_again(laptop)
    parts = _a_supervisor_dies(laptop)
    assert laptop.run("muttdev", "down", "--json") == {"stopped": True, "purged": False, "ok": True}
    assert not any(lives(known) for known in parts.values())
    assert "muttdev up" in laptop.run("muttdev", "send", "x", status=69)
    _walk([down], laptop)
    laptop.run("muttdev", "down", "--purge", "--json")
    _the_guide_does_what_it_says(laptop, tmp_path)


def _walk(day: list[Step], laptop: Laptop) -> None:
    """Every line of docs/QUICKSTART.md, in the folder that the stack's is in, as if `muttdev` were not told where."""
    outcomes = walk(day, bare_environment(PATH=PATH), laptop.home.parent, within=400)
    assert [(each.step, each.status, each.printed) for each in outcomes if not each.as_written] == []


def _send(laptop: Laptop, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"raw": "<34>Oct 11 22:14:15 h su: x", "host": "h"},
        {"event": {"timestamp": "2026-03-01T12:00:00Z", "hostname": "h", "message": "m", "trap_oid": "1.3.6.1"}},
        {"timestamp": "2026-03-01T12:00:00Z", "hostname": "h", "message": "m"},
    ]
    file = tmp_path / "some events.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows) + "a plain line\n")
    sent = laptop.run("muttdev", "send", "--file", str(file), "--json")
    assert sent["topics"] == {"mutt.ingest.raw": 2, "mutt.ingest.snmp": 1, "mutt.ingest.syslog": 1}
    piped = laptop.run("muttdev", "send", "--topic", "syslog", "--file", "-", "--json", given="no event\n\nnor this\n")
    assert piped["topics"] == {"mutt.ingest.syslog": 2}
    laptop.run("muttdev", "send", "--file", str(tmp_path / "none"), status=65)
    terminal = laptop.sourced()
    until(
        lambda: terminal.run("mutt", "ledger", "verify", "--json")["totals"]["offsets"] == 3 + 6,
        "all six are in the ledger, beside the three of the quick start",
    )
    assert terminal.run("mutt", "trace", sent["first"][0], "--json")
    stored = terminal.run("mutt", "secrets", "status", "--json")
    assert {"database/worker", "webhook", "api"} <= {row["path"] for row in stored["secrets"] if row["version"] == 1}


def _the_guide_does_what_it_says(laptop: Laptop, folder: Path) -> None:
    """In a terminal that knows no more than where the stack is."""
    outcomes = walk(steps(MUTTDEV), laptop.environment | {"PATH": PATH}, folder, within=600)
    assert [outcome for outcome in outcomes if not outcome.as_written] == []
    assert laptop.run("muttdev", "setup", "--check", "--json") == {"todo": [], "ok": True}


def _a_worker_dies_and_comes_again(laptop: Laptop) -> None:
    before = laptop.state["processes"]["match-1"]
    os.kill(before[0], signal.SIGKILL)
    until(lambda: laptop.state["processes"]["match-1"] != before, "match-1 is started again")
    assert laptop.run("muttdev", "status", "--json")["ok"]


def _a_supervisor_dies(laptop: Laptop) -> dict[str, Any]:
    state = laptop.state
    os.kill(state["supervisor"][0], signal.SIGKILL)
    until(lambda: not lives(state["supervisor"]), "the supervisor is dead")
    status = laptop.run("muttdev", "status", "--json", status=1)
    assert (status["up"], status["ok"]) == (False, False)
    processes: dict[str, Any] = state["processes"]
    return processes


def test_a_start_that_fails_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    laptop = Laptop(tmp_path / "a, b")
    assert "comma" in laptop.run("muttdev", "up", status=69)
    status = laptop.run("muttdev", "status", "--json", status=1)
    assert (status["up"], status["parts"]) == (False, {})
    assert laptop.run("muttdev", "down", "--purge", "--json") == {"stopped": False, "purged": True, "ok": True}
    assert not laptop.home.exists()
