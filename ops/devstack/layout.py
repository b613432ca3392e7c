"""Where the development stack keeps its things: one folder, free ports, pids that only it owns."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NOBODY = 65534
"""The unprivileged uid PostgreSQL runs under when we are root; it refuses to run as root."""

STATE = "state.json"


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
        """Makes the folders; secrets are ours alone."""
        self.home.mkdir(parents=True, exist_ok=True)
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

    def purge(self) -> None:
        """Removes everything the stack ever wrote, also what lies outside of `home` for want of access."""
        for outside in self.load().get("outside", []):
            shutil.rmtree(outside, ignore_errors=True)
        shutil.rmtree(self.home, ignore_errors=True)


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def reachable_by_others(path: Path) -> bool:
    """Whether another user can walk down to `path`: every folder on the way is executable by all."""
    return all(parent.stat().st_mode & 0o001 for parent in [path.resolve(), *path.resolve().parents] if parent.exists())


def outside_folder(label: str) -> Path:
    """A folder another user can reach, for when `home` lies under a private one."""
    folder = Path(tempfile.mkdtemp(prefix=f"mutt-{label}-"))
    folder.chmod(0o755)
    return folder
