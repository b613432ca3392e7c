"""Where secrets come from: the ports, and the files of development, one a name in MUTT_SECRETS_DIR."""

from __future__ import annotations

import datetime as dt
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from schemas.errors import SecretRefused, SecretsUnavailable, SettingsRefused
from schemas.secret_names import SecretGroup, all_groups
from schemas.secrets import LiveSecrets, Secret
from streams.core.safety import exposed
from streams.core.secret_rules import checked
from streams.core.vault import Trouble


class SecretSource(Protocol):
    """Gives secrets by name. Answers from memory, in any thread."""

    def get(self, name: str) -> Secret | None:
        """The secret, or None where there is none of that name. Never blocks, raises nothing."""

    def subscribe(self, changed: Callable[[], None]) -> None:
        """`changed` is called after each change, in a thread of the source's own; it must not block or raise."""

    def refresh(self) -> None:
        """Looks now, where the last look is not of this very second. Blocks for seconds; raises nothing."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a store holds of a group."""

    values: Mapping[str, Secret]
    version: int
    """0: there is nothing, and nothing is asked for."""
    created: str
    """RFC 3339."""


class SecretStore(Protocol):
    """Where secrets are kept. One thread at a time."""

    def load(self, group: SecretGroup) -> Loaded:
        """Blocks for seconds at most. Raises SecretsUnavailable, and SecretRefused for what can be no secret."""


class FileStore:
    """Files that only their owner can read, for development: nothing is required, nothing has a number.

    Raises SettingsRefused where the folder is missing or a file is open to others.
    """

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)
        _look(self._folder)

    def load(self, group: SecretGroup) -> Loaded:
        try:
            there = [path for path in _look(self._folder) if path.name in group.names]
            values = checked(group, {path.name: _text(path) for path in there}, whole=False)
            times = [path.stat().st_mtime for path in there]
        except (OSError, UnicodeDecodeError, SettingsRefused) as error:
            raise SecretsUnavailable(Trouble.DOWN, str(error)) from None
        newest = dt.datetime.fromtimestamp(max(times, default=0), dt.UTC)
        return Loaded(values, int(bool(there)), newest.isoformat())


def live(secrets: SecretSource, *names: str) -> LiveSecrets:
    """Those of these names that are there, in this order."""
    return lambda: tuple(secret for name in names if (secret := secrets.get(name)) is not None)


class FileSecrets:
    """Secrets from files that nobody else can read (`is_open`), read once; none without a folder.

    Raises SettingsRefused when the folder is missing, or a file is open to others or holds what can be no secret.
    """

    def __init__(self, folder: str | None) -> None:
        self._values: dict[str, Secret] = {}
        for group in all_groups() if folder else ():
            try:
                self._values |= FileStore(str(folder)).load(group).values
            except (SecretRefused, SecretsUnavailable) as fault:
                raise SettingsRefused(f"secrets: {fault}") from None

    def get(self, name: str) -> Secret | None:
        return self._values.get(name)

    def subscribe(self, changed: Callable[[], None]) -> None:
        """They never change."""

    def refresh(self) -> None:
        """They never change."""


def is_open(file: os.stat_result, *, reader: int) -> bool:
    """Whether others than this user may read a secret file.

    Nobody but its owner may; one of root's may be read by its group, as PostgreSQL has it for its key: that is how
    Kubernetes (fsGroup) and systemd (LoadCredential) hand secrets to a service that is not root.
    """
    shared = file.st_uid == 0 and reader != 0
    return bool(file.st_mode & (~stat.S_IRGRP if shared else -1) & (stat.S_IRWXG | stat.S_IRWXO))


def refuse_exposed(*files: Path) -> None:
    """Raises SettingsRefused for those that `is_open` finds open to others than us, and OSError."""
    if found := [path for path in files if is_open(path.stat(), reader=os.geteuid())]:
        raise SettingsRefused([exposed(str(path)) for path in found])


def read_all(folder: Path) -> dict[str, str]:
    """What the files hold, by name, unjudged. Raises SettingsRefused."""
    return {path.name: _text(path) for path in _look(folder)}


def _look(folder: Path) -> list[Path]:
    """The files. Raises SettingsRefused."""
    if not folder.is_dir():
        raise SettingsRefused(f"MUTT_SECRETS_DIR={str(folder)!r} is no folder")
    files = [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]
    refuse_exposed(*files)
    return files


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip()
