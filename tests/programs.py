"""Runs our programs as processes of their own, forked from one that has imported them: as real, and quicker."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.preloaded"])
_LOCK = threading.Lock()
"""Starting a process asks after all the others, and only one thread may read how a process ended."""
_NOTHING = Path(os.devnull)
MEASURED = "COVERAGE_PROCESS_CONFIG" in os.environ
"""Whether this runs for `python -m tests.branches`."""


def bare_environment(**more: str) -> dict[str, str]:
    """The environment without settings of a stack that runs here."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("MUTT_", "VAULT_"))} | more


class Forked:
    """A process of its own, with what is used here of `subprocess.Popen`."""

    def __init__(self, main: Callable[[], None], surroundings: Surroundings) -> None:
        for file in (surroundings.output, surroundings.errors):
            file.open("ab").close()  # there before the process is
        self._process = _CONTEXT.Process(target=_begin, args=(main, surroundings))
        with _LOCK:
            self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def poll(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        with _LOCK:
            return self._process.exitcode

    @property
    def returncode(self) -> int | None:
        return self.poll()

    def wait(self, timeout: float | None = None) -> int:
        """Raises subprocess.TimeoutExpired."""
        wait([self._process.sentinel], timeout)
        status = self.poll()
        if status is None:
            raise subprocess.TimeoutExpired([self._process.name], timeout or 0.0)
        return status

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


@dataclass(frozen=True)
class Surroundings:
    """What a process finds when it begins. What is written is added to the files."""

    environment: Mapping[str, str]
    output: Path = _NOTHING
    errors: Path = _NOTHING
    given: Path = _NOTHING
    own_session: bool = False

    def enter(self) -> None:
        """In the new process: what a shell and the interpreter do before a program begins."""
        if self.own_session:
            os.setsid()
        for number, path, mode in ((0, self.given, os.O_RDONLY), (1, self.output, _ADD), (2, self.errors, _ADD)):
            file = os.open(path, mode | os.O_NOCTTY)
            os.dup2(file, number)
            os.close(file)
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - as long as the process
        os.environ.clear()
        os.environ.update(self.environment)


_ADD = os.O_WRONLY | os.O_CREAT | os.O_APPEND


def _begin(main: Callable[[], None], surroundings: Surroundings) -> None:
    surroundings.enter()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored by all that a shell runs in the background
    main()


@dataclass(frozen=True)
class _Command:
    """`mutt …` or `muttdev …`."""

    program: str
    arguments: Sequence[str]

    def __call__(self) -> None:
        sys.argv = [self.program, *self.arguments]
        importlib.import_module(f"ops.cli.{self.program}").main()


@dataclass(frozen=True)
class _Module:
    """`python -m …`."""

    name: str
    arguments: Sequence[str]

    def __call__(self) -> None:
        sys.argv = [self.name, *self.arguments]
        sys.modules.pop(self.name, None)  # it runs as a module that was not imported
        runpy.run_module(self.name, run_name="__main__", alter_sys=True)


def start_module(name: str, *arguments: str, surroundings: Surroundings) -> Forked:
    """Starts `python -m NAME ARGUMENTS`; the caller ends it."""
    return Forked(_Module(name, arguments), surroundings)


class Command:
    """`mutt` or `muttdev` with `given` (a terminal, where it is a path) on standard input; the caller ends it."""

    def __init__(
        self, program: str, *arguments: str, given: bytes | Path = b"", environment: Mapping[str, str]
    ) -> None:
        self._called = [program, *arguments]
        self._files = tempfile.TemporaryDirectory()
        folder = Path(self._files.name)
        if isinstance(given, bytes):
            (folder / "0").write_bytes(given)
            given = folder / "0"
        self._written = folder / "1", folder / "2"
        self._process = Forked(_Command(program, arguments), Surroundings(dict(environment), *self._written, given))

    def send_signal(self, number: int) -> None:
        self._process.send_signal(number)

    def end(self, within: float = 60.0) -> subprocess.CompletedProcess[bytes]:
        """Waits for its end, and kills it when that does not come. Raises subprocess.TimeoutExpired."""
        with self._files:
            try:
                status = self._process.wait(within)
                return subprocess.CompletedProcess(self._called, status, *(file.read_bytes() for file in self._written))
            finally:
                self._process.kill()


def run(
    program: str, *arguments: str, given: bytes | Path = b"", environment: Mapping[str, str], within: float = 60.0
) -> subprocess.CompletedProcess[bytes]:
    """Runs a command to its end. Raises subprocess.TimeoutExpired."""
    return Command(program, *arguments, given=given, environment=environment).end(within)


def run_text(
    program: str, *arguments: str, given: str | Path = "", environment: Mapping[str, str], within: float = 60.0
) -> subprocess.CompletedProcess[str]:
    """The same with text."""
    typed = given if isinstance(given, Path) else given.encode()
    return text(run(program, *arguments, given=typed, environment=environment, within=within))


def text(done: subprocess.CompletedProcess[bytes]) -> subprocess.CompletedProcess[str]:
    """What a command wrote, as text."""
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())
