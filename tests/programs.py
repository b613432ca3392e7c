"""Runs `mutt` and `muttdev` as processes of their own, forked from one that has imported them: as real, and quicker."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["ops.cli.mutt", "ops.cli.muttdev"])


def bare_environment(**more: str) -> dict[str, str]:
    """The environment without settings of a stack that runs here."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MUTT_")} | more


def run(
    program: str, *arguments: str, given: bytes = b"", environment: Mapping[str, str], within: float = 60.0
) -> subprocess.CompletedProcess[bytes]:
    """Runs `mutt` or `muttdev` with `given` on standard input. Raises subprocess.TimeoutExpired."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "0").write_bytes(given)
        process = _CONTEXT.Process(target=_command, args=(program, arguments, dict(environment), folder))
        process.start()
        process.join(within)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired([program, *arguments], within)
        output, errors = ((folder / number).read_bytes() for number in "12")
        return subprocess.CompletedProcess([program, *arguments], process.exitcode, output, errors)


def run_text(
    program: str, *arguments: str, given: str = "", environment: Mapping[str, str], within: float = 60.0
) -> subprocess.CompletedProcess[str]:
    """The same with text."""
    done = run(program, *arguments, given=given.encode(), environment=environment, within=within)
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def _command(program: str, arguments: tuple[str, ...], environment: dict[str, str], folder: Path) -> None:
    """In the new process: what a shell and the interpreter do before a command begins."""
    for number, mode in enumerate((os.O_RDONLY, os.O_WRONLY | os.O_CREAT, os.O_WRONLY | os.O_CREAT)):
        file = os.open(folder / str(number), mode)
        os.dup2(file, number)
        os.close(file)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - as long as the process
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [program, *arguments]
    importlib.import_module(f"ops.cli.{program}").main()
