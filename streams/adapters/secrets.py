"""Where secrets come from: for development, one file per name in MUTT_SECRETS_DIR."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Protocol

from schemas.errors import SettingsRefused
from schemas.secrets import Secret

DB_PASSWORD = "DB_PASS_CURRENT"
WEBHOOK_TOKEN = "MOOG_API_KEY"
WEBHOOK_SIGNING = "WEBHOOK_SIGNING_SECRET"
API_KEY = "API_KEY"
API_PEPPER = "API_PEPPER"


SHORTEST_PEPPER = 32
"""Characters."""


class SecretSource(Protocol):
    """Gives secrets by name. Answers from memory: never blocks, raises nothing."""

    def get(self, name: str) -> Secret | None:
        """The secret, or None where there is none of that name."""


class FileSecrets:
    """Secrets from files that nobody else can read (`is_open`), read once.

    Raises SettingsRefused when the folder is missing or a file is open to others.
    """

    def __init__(self, folder: str | None) -> None:
        self._values = _read(Path(folder)) if folder else {}

    def get(self, name: str) -> Secret | None:
        return self._values.get(name)


def pepper_of(secrets: SecretSource) -> Secret | None:
    """What API keys are hashed with. Raises SettingsRefused where it could be guessed."""
    pepper = secrets.get(API_PEPPER)
    if pepper is not None and len(pepper.reveal()) < SHORTEST_PEPPER:
        raise SettingsRefused(f"the secret {API_PEPPER} has fewer than {SHORTEST_PEPPER} characters")
    return pepper


def is_open(file: os.stat_result, *, reader: int) -> bool:
    """Whether others than this user may read a secret file.

    Nobody but its owner may; one of root's may be read by its group, as PostgreSQL has it for its key: that is how
    Kubernetes (fsGroup) and systemd (LoadCredential) hand secrets to a service that is not root.
    """
    shared = file.st_uid == 0 and reader != 0
    return bool(file.st_mode & (~stat.S_IRGRP if shared else -1) & (stat.S_IRWXG | stat.S_IRWXO))


def _read(folder: Path) -> dict[str, Secret]:
    if not folder.is_dir():
        raise SettingsRefused(f"MUTT_SECRETS_DIR={str(folder)!r} is no folder")
    files = [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]
    if exposed := [path for path in files if is_open(path.stat(), reader=os.geteuid())]:
        raise SettingsRefused([f"{path} is open to others; run: chmod 600 {path}" for path in exposed])
    return {path.name: Secret(path.read_text(encoding="utf-8").strip()) for path in files}
