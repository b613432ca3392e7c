"""The programs of docs/examples/, as modules and as processes."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from typing import Any

from tests.architecture.documents import ROOT
from tests.programs import bare_environment

FOLDER = ROOT / "docs" / "examples"


def module(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"examples_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def run(name: str, *arguments: str, given: str = "", within: float = 120, **environ: str) -> str:
    """What it prints; it must end well."""
    done = subprocess.run(
        [sys.executable, FOLDER / f"{name}.py", *arguments],
        input=given, capture_output=True, text=True, env=bare_environment(**environ), timeout=within, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout
