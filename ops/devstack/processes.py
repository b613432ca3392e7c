"""Child processes of the stack: started with a log, known by pid and start time, ended by pid and never by name."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from schemas.errors import MuttError

POLL_S = 0.05


class StackFailed(MuttError):  # noqa: N818 - reads as what happened
    """A part of the stack did not come up; the message ends with the tail of its log."""


class Child:
    """One process with its log file."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.name = name
        self.process = process
        self.log = log

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def tail(self, characters: int = 2000) -> str:
        return self.log.read_text(errors="replace")[-characters:] if self.log.exists() else ""

    def signal(self, number: signal.Signals) -> None:
        if self.running:
            self.process.send_signal(number)

    def stop(self, grace_s: float = 15.0) -> int:
        """SIGTERM, then SIGKILL after the grace. Returns the exit status."""
        self.signal(signal.SIGTERM)
        try:
            return self.process.wait(grace_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def spawn(
    name: str,
    argv: Sequence[str | os.PathLike[str]],
    *,
    log: Path,
    environment: Mapping[str, str] | None = None,
    uid: int | None = None,
) -> Child:
    """Starts a process in its own session, its output appended to `log`; as `uid` when given."""
    identity: dict[str, Any] = {} if uid is None else {"user": uid, "group": uid, "extra_groups": []}
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - our own programs
            [os.fspath(part) for part in argv],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if environment is None else dict(environment),
            start_new_session=True,
            **identity,
        )
    return Child(name, process, log)


def wait_until(ready: Callable[[], bool], *, what: str, child: Child | None = None, deadline_s: float = 60.0) -> None:
    """Polls until `ready`. Raises StackFailed when the child ends first or the deadline passes."""
    end = time.monotonic() + deadline_s
    while not ready():
        if child is not None and not child.running:
            raise StackFailed(f"{what} ended with status {child.process.returncode}:\n{child.tail()}")
        if time.monotonic() > end:
            tail = f":\n{child.tail()}" if child is not None else ""
            raise StackFailed(f"{what} is not ready after {deadline_s:.0f} s{tail}")
        time.sleep(POLL_S)


def started_at(pid: int) -> str | None:
    """When the process started, in the kernel's words: tells our process from a later one with the same pid."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (FileNotFoundError, IndexError):
        answer = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)  # noqa: S603, S607
        return answer.stdout.strip() or None


def end_pid(pid: int, start: str | None, grace_s: float = 20.0) -> bool:
    """Ends a process that is still the one we started; False when it was gone."""
    if started_at(pid) != start or start is None:
        return False
    os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + grace_s
    while started_at(pid) == start and not _zombie(pid):
        if time.monotonic() > end:
            os.kill(pid, signal.SIGKILL)
            return True
        time.sleep(POLL_S)
    return True


def _zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return False
