"""Where secrets come from: for development, one file per name in MUTT_SECRETS_DIR."""

from __future__ import annotations

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
    """Secrets from files that only their owner can read, read once.

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


def _read(folder: Path) -> dict[str, Secret]:
    if not folder.is_dir():
        raise SettingsRefused(f"MUTT_SECRETS_DIR={str(folder)!r} is no folder")
    files = [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]
    if exposed := [path for path in files if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)]:
        raise SettingsRefused([f"{path} is open to others; run: chmod 600 {path}" for path in exposed])
    return {path.name: Secret(path.read_text(encoding="utf-8").strip()) for path in files}
