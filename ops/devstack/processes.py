"""Child processes of the stack: started with a log, known by pid and start time, ended by pid and never by name."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from schemas.errors import MuttError

POLL_S = 0.05

SERVERS = {"kafka": signal.SIGTERM, "postgres": signal.SIGINT}
"""What stops a server at once; the other signal makes PostgreSQL wait until everybody has left."""

Known = tuple[int, str | None]
"""Pid and start time of a process."""


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


class Server:
    """A server of the stack; `child` is its process, None before the first start."""

    child: Child | None = None

    def kill(self) -> None:
        """Ends it the hard way (kill -9)."""
        if self.child is not None:
            self.child.process.kill()
            self.child.process.wait()

    def stop(self) -> None:
        """Asks it to end, and waits for that."""
        if self.child is not None:
            self.child.stop()


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
    while not ready() or (child is not None and not child.running):
        if child is not None and not child.running:
            raise StackFailed(f"{what} ended with status {child.process.returncode}:\n{child.tail()}")
        if time.monotonic() > end:
            tail = f":\n{child.tail()}" if child is not None else ""
            raise StackFailed(f"{what} is not ready after {deadline_s:.0f} s{tail}")
        time.sleep(POLL_S)


def started_at(pid: int) -> str | None:
    """When the process started, in the kernel's words: tells our process from a later one with the same pid.

    None when there is none, or only the entry of a dead one that its parent has not read yet.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if fields[0] == "Z" else fields[19]
    except (OSError, IndexError):
        if Path("/proc/self/stat").exists():
            return None
        answer = subprocess.run(  # noqa: S603 - our own programs
            ["ps", "-o", "stat=,lstart=", "-p", str(pid)],  # noqa: S607 - of every system
            capture_output=True,
            text=True,
            check=False,
        )
        state, _, start = answer.stdout.strip().partition(" ")
        return None if state.startswith("Z") else start.strip() or None


def lives(known: Known | None) -> bool:
    """Whether the process still is the one that was started."""
    return known is not None and known[1] is not None and started_at(known[0]) == known[1]


def end_pid(pid: int, start: str | None, grace_s: float = 20.0, ask: signal.Signals = signal.SIGTERM) -> bool:
    """Ends a process that is still the one we started; False when it was gone."""
    if not lives((pid, start)):
        return False
    os.kill(pid, ask)
    end = time.monotonic() + grace_s
    while lives((pid, start)):
        if time.monotonic() > end:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            return True
        time.sleep(POLL_S)
    return True


def end_left_behind(processes: Mapping[str, Known]) -> list[str]:
    """Ends what is left of a stack, workers first, servers last. Returns the names of those that still ran."""
    left = {name: known for name, known in processes.items() if lives(known)}
    for name, (pid, _) in left.items():
        if name not in SERVERS:
            os.kill(pid, signal.SIGTERM)
    for name in sorted(left, key=lambda name: name in SERVERS):
        end_pid(*left[name], ask=SERVERS.get(name, signal.SIGTERM))
    return list(left)
