"""Where the development stack keeps its things: one folder, free ports, pids that only it owns."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.devstack.processes import StackFailed
from ops.settings_file import NAME as SETTINGS
from schemas.errors import SettingsRefused

NOBODY = 65534
"""The unprivileged uid PostgreSQL runs under when we are root; it refuses to run as root."""

STATE = "state.json"
DEMO = "demo"
"""The demonstration has its own stack in this folder of the other one's home."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The folders of one stack, below `home`."""

    home: Path

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def secrets(self) -> Path:
        return self.home / "secrets"

    @property
    def state_file(self) -> Path:
        return self.home / STATE

    def create(self) -> None:
        """Makes the folders; secrets are ours alone. Refuses a folder that holds other things: purging would take them.

        Raises SettingsRefused.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        if not self.secrets.exists() and {entry.name for entry in self.home.iterdir()} - {DEMO, "logs", SETTINGS}:
            raise SettingsRefused([f"MUTT_HOME: {self.home} holds other files; give the stack a folder of its own"])
        self.logs.mkdir(exist_ok=True)
        self.secrets.mkdir(mode=0o700, exist_ok=True)

    def secret(self, name: str, make: str | None = None) -> str:
        """The secret of that name; made at random (or as given) the first time, readable by its owner only."""
        path = self.secrets / name
        if not path.exists():
            value = make or secrets.token_urlsafe(32)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(value)
        return path.read_text()

    def load(self) -> dict[str, Any]:
        """What the stack wrote about itself when it started; empty when there is none."""
        try:
            state: dict[str, Any] = json.loads(self.state_file.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return {}
        return state

    def save(self, state: dict[str, Any]) -> None:
        """Replaces the state file in one step."""
        temporary = self.state_file.with_suffix(".new")
        temporary.write_text(json.dumps(state, indent=1))
        temporary.replace(self.state_file)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Held by the one process that runs the stack. Raises StackFailed when another one holds it."""
        with (self.home / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StackFailed(f"another process starts or runs the stack below {self.home}") from None
            yield

    def purge(self) -> bool:
        """Removes all the stack wrote, also outside of `home` for want of access; the demonstration stays.

        False where no stack ever was: then nothing is touched.
        """
        for outside in self.load().get("outside", []):
            shutil.rmtree(outside, ignore_errors=True)
        if not self.secrets.exists():
            return False
        for entry in sorted(self.home.iterdir(), key=lambda entry: entry == self.secrets):
            if entry.name == DEMO:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink()
        with suppress(OSError):
            self.home.rmdir()
        return True


def free_port(wanted: int = 0) -> int:
    """A loopback port that was free a moment ago: the one that is wanted, or any."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", wanted))
        except OSError:
            listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def listens(port: int) -> bool:
    """Whether somebody takes connections at a loopback port."""
    try:
        with socket.create_connection(("127.0.0.1", port), 0.5):
            return True
    except OSError:
        return False


def reachable_by_others(path: Path) -> bool:
    """Whether another user can walk down to `path`: every folder on the way is executable by all."""
    return all(parent.stat().st_mode & 0o001 for parent in [path.resolve(), *path.resolve().parents] if parent.exists())


def outside_folder(label: str) -> Path:
    """A folder another user can reach, for when `home` lies under a private one."""
    folder = Path(tempfile.mkdtemp(prefix=f"mutt-{label}-"))
    folder.chmod(0o755)
    return folder
