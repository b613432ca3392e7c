"""The figures that docs/PERFORMANCE.md and docs/SCALING.md stand on: last lines of bench runs, kept as JSON."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.proof.figures import versions

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "performance"


@dataclass(frozen=True, slots=True)
class Kept:
    """One run of the bench."""

    command: str
    date: str
    commit: str
    versions: Mapping[str, str]
    figures: Mapping[str, Any]


def keep(name: str, command: str, output: Path) -> None:
    """Keeps the last line of a run's output as docs/performance/NAME.json. ValueError where it is no JSON object."""
    figures = json.loads(output.read_text().splitlines()[-1])
    if not isinstance(figures, dict):
        raise ValueError(f"{output}: the last line is no JSON object")
    asked = subprocess.run(["git", "rev-parse", "--short=10", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    document = {
        "command": command, "date": time.strftime("%Y-%m-%d", time.gmtime()), "commit": asked.stdout.strip(),
        "versions": versions() | figures.pop("versions", {}), "figures": figures,
    }  # fmt: skip
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")


def kept(name: str) -> Kept | None:
    """The run of this name; None where none is kept."""
    file = FOLDER / f"{name}.json"
    return Kept(**json.loads(file.read_text())) if file.exists() else None
