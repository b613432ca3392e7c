"""The peers' virtual environments, one each: the Kafka clients they want do not go together."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

LOCKS = Path(__file__).parent / "locks"
HOME = Path(sys.prefix) / "rivals"
INSTALL_S = 300.0


class NotInstalled(Exception):  # noqa: N818 - reads as what happened
    """A peer cannot be had for this Python; the message says why."""


def interpreter(peer: str) -> str:
    """The Python that has the peer; made from its lock the first time. Raises NotInstalled."""
    lock = LOCKS / f"{peer}.txt"
    home = HOME / peer
    python, stamp = home / "bin" / "python", home / "installed"
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    if not (stamp.exists() and stamp.read_text() == wanted):
        _install(home, python, lock)
        stamp.write_text(wanted)
    return os.fspath(python)


def _install(home: Path, python: Path, lock: Path) -> None:
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary=:all:"]
    for command in ([sys.executable, "-m", "venv", "--clear", home], [*pip, "--require-hashes", "-r", lock]):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_S)
        except subprocess.TimeoutExpired:
            raise NotInstalled(f"{home.name}: not installed within {INSTALL_S:.0f} s") from None
        if done.returncode:
            raise NotInstalled(f"{home.name}: {done.stderr.strip().splitlines()[-1]}")
