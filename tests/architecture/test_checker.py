"""The checker is independent: neither it nor anything it imports is part of the product."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

from tests.architecture.documents import ROOT
from tests.architecture.test_house import PACKAGES

FOLDER = ROOT / "tests" / "chaos" / "checker"
OUTSIDE = {"asyncpg", "confluent_kafka"}


def imported(file: Path) -> set[str]:
    """Names of the modules a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file.name}: a relative import"
            names.add(node.module or "")
    return names


def test_the_checker_imports_the_drivers_and_itself_alone() -> None:
    strange = {
        (file.name, name)
        for file in FOLDER.glob("**/*.py")
        for name in imported(file)
        if name.partition(".")[0] not in {*sys.stdlib_module_names, *OUTSIDE}
        and not f"{name}.".startswith("tests.chaos.checker.")
    }
    assert strange == set()


def test_running_the_checker_loads_nothing_of_the_product() -> None:
    modules = [f"tests.chaos.checker.{file.stem}" for file in FOLDER.glob("*.py") if file.stem != "__init__"]
    program = f"import sys, {', '.join(modules)}\nprint(*(name.partition('.')[0] for name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) & {*PACKAGES, "faust", "aiokafka", "msgspec", "hyperscan"} == set()
    assert "confluent_kafka" in done.stdout.split()
