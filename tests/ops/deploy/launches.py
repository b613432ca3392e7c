"""What a deployment starts, and whether mutt has that: its commands, options, variables and ports."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer
import typer.main

from ops.cli import mutt
from ops.cli.ready import Served, address_of
from schemas.errors import SettingsRefused
from schemas.settings import Settings, variable_of
from tests.architecture.documents import ROOT, tracked

API = ("python", "-m", "api")
BRIDGE = ("mutt", "snmp-bridge")
SCRIPT = "mutt-snmptrapd"
"""ops/snmptrapd/mutt-snmptrapd, which ends in the bridge."""
WORKERS = (Served.MATCH, Served.FORWARD, Served.DEAD_LETTERS)
USER = 10001
"""Of the images: user and group."""


@dataclass(frozen=True)
class Launch:
    """One process that a deployment starts."""

    where: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    ports: frozenset[int] = frozenset()
    """Where others look for it."""

    @property
    def service(self) -> Served | None:
        """Which of our services it is; None for a command that ends."""
        if self.argv[:2] == ("mutt", "worker"):
            return next((served for served in WORKERS if served == self.argv[2]), None)
        if Path(self.argv[0]).name == SCRIPT or self.argv[:2] == BRIDGE:
            return Served.SNMP_BRIDGE
        return Served.API if self.argv[-2:] == API[-2:] else None

    def problems(self) -> list[str]:
        """What mutt does not have of it; empty when all is there."""
        return [f"{self.where}: {problem}" for problem in (*self._wrong_command(), *self._wrong_settings())]

    def _wrong_command(self) -> Iterator[str]:
        if self.argv[0] == "mutt":
            yield from wrong_arguments(self.argv[1:])
        elif Path(self.argv[0]).name == "python" and self.argv[1] == "-m":
            if importlib.util.find_spec(self.argv[2]) is None:
                yield f"no module {self.argv[2]}"
        elif Path(self.argv[0]).name != SCRIPT:
            yield f"{self.argv[0]} is no program of mutt"

    def _wrong_settings(self) -> Iterator[str]:
        try:
            settings = Settings.from_env(self.environment)
        except SettingsRefused as refused:
            yield str(refused)
            return
        if self.service is not None and self.ports:
            port = address_of(self.service, settings)[1]
            yield from (f"looked for at port {other}, but listens on {port}" for other in self.ports - {port})


def wrong_arguments(arguments: Sequence[str]) -> list[str]:
    """Why `mutt` would not take these arguments: commands, options and values."""
    command: Any = typer.main.get_command(mutt.app)
    rest = list(arguments)
    while True:
        try:
            context = command.make_context(command.name, rest)
            if not hasattr(command, "commands"):
                return []
            rest = [*context._protected_args, *context.args]
            _, command, rest = command.resolve_command(context, rest)
        except typer.TyperException as error:
            return [f"mutt {' '.join(arguments)}: {error.format_message()}"]


def settings_by_variable() -> set[str]:
    """Every variable that mutt reads."""
    return {variable_of(name) for name in Settings.__struct_fields__}


def is_ours(path: str) -> bool:
    """Whether a path of the repository, file or folder, is under version control."""
    return any(file == path or file.startswith(path.rstrip("/") + "/") for file in tracked())


def text_of(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")
