"""A file of settings, as a shell, systemd and compose read it: NAME=value lines with comments."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from msgspec.structs import fields

from ops.documents.words import below_fields
from schemas.errors import SettingsRefused
from schemas.settings import Settings, variable_of

NAME = "settings.env"
"""Of the development stack, in its home."""

_LINE = re.compile(r"\s*([A-Za-z_]\w*)=")


def read(file: Path) -> dict[str, str]:
    """The variables that it sets; none where there is no file. Raises SettingsRefused naming the line."""
    try:
        lines = file.read_text().splitlines()
    except FileNotFoundError:
        return {}
    return dict(pair for number, line in enumerate(lines, 1) if (pair := _pair(file, number, line)) is not None)


def _pair(file: Path, number: int, line: str) -> tuple[str, str] | None:
    try:
        words = shlex.split(line, comments=True)
    except ValueError as error:
        raise SettingsRefused([f"{file}:{number}: {str(error).lower()}"]) from error
    if not words:
        return None
    if len(words) > 1 or not _LINE.match(words[0]):
        raise SettingsRefused([f"{file}:{number}: not NAME=value (text with spaces stands in quotes)"])
    name, _, value = words[0].partition("=")
    return name, value


def change(file: Path, changes: Mapping[str, str | None]) -> dict[str, tuple[str | None, str | None]]:
    """Sets variables (None: takes them out) and leaves all other lines; what changed, before and after.

    Raises SettingsRefused where the file would hold settings that are none, and leaves it as it is then.
    """
    before = read(file)
    after = {name: value for name, value in (before | dict(changes)).items() if value is not None}
    Settings.from_env(after)
    changed = {name: (before.get(name), value) for name, value in changes.items() if before.get(name) != value}
    if changed:
        lines = file.read_text().splitlines() if file.exists() else []
        _replace(file, _changed(lines, {name: value for name, (_, value) in changed.items()}))
    return changed


def _changed(lines: list[str], changes: Mapping[str, str | None]) -> list[str]:
    """A new variable stands where it is commented out, else at the end."""
    kept = list(lines)
    for name, value in changes.items():
        places = [number for number, line in enumerate(kept) if line.lstrip().startswith(f"{name}=")]
        commented = [number for number, line in enumerate(kept) if line.startswith(f"#{name}=")]
        new = f"#{name}=" if value is None else f"{name}={shlex.quote(value)}"
        if places or commented:
            kept[(places or commented)[-1]] = new
        elif value is not None:
            kept.append(new)
    return kept


def write(file: Path, values: Mapping[str, str], about: str) -> None:
    """A new file: every setting with what it means, those without a value commented out, with their default."""
    words = below_fields(Settings)
    lines = [f"# {line}" for line in about.splitlines()]
    for one in fields(Settings):
        variable = variable_of(one.name)
        default = "" if one.default is None else str(one.default)
        lines += ["", *([f"# {words[one.name]}"] if one.name in words else [])]
        lines.append(f"{variable}={shlex.quote(values[variable])}" if variable in values else f"#{variable}={default}")
    _replace(file, lines)


def _replace(file: Path, lines: list[str]) -> None:
    """In one step: a reader finds the old file or the new one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_name(file.name + ".new")
    new.write_text("\n".join(lines) + "\n")
    os.replace(new, file)
