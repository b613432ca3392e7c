"""`python -m tests.mutants [MODULE …] [--json]`: the part of small changes to decisions that their own tests notice.

mutmut changes one thing at a time in modules of `streams/core` and runs the tests of that module (`test_MODULE.py`). It
works in a copy of what is committed, and its own packages lie beside that: it wants another click than Faust. Needs the
package index.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
MUTMUT = "mutmut==3.8.1"
CENTRAL = ("backoff", "books", "breaker", "disposition", "matching", "progress", "rate_limit", "replay", "retention")
NOTICED = ("killed", "timeout", "segfault", "suspicious", "caught by type check")
_LINE = re.compile(r"^\s*streams\.core\.(\w+)\.\S+: ([a-z ]+)$", re.MULTILINE)
_CONFIG = """
[tool.mutmut]
source_paths = ["schemas", "streams"]
only_mutate = {sources}
also_copy = ["api", "ops", "docs"]
timeout_constant = 20.0
pytest_add_cli_args = ["-p", "no:cacheprovider", "-p", "no:xdist"]
pytest_add_cli_args_test_selection = {tests}
"""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("modules", nargs="*", default=list(CENTRAL), metavar="MODULE", help="of streams/core")
    parser.add_argument("--json", action="store_true", help="end with one JSON object")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="mutt-mutants-") as folder:
        found = counted(results(Path(folder), options.modules))
    for module, ends in sorted(found.items()):
        print(f"{module:<12} {score(ends):6.1%} of {ends.total()}  {dict(ends)}")
    whole = sum(found.values(), Counter[str]())
    if options.json:
        modules = {
            module: {"mutants": ends.total(), "noticed": round(score(ends), 3)} for module, ends in found.items()
        }
        print(json.dumps({"ok": bool(whole), "score": round(score(whole), 3), "modules": modules}))
    return 0 if whole else 1


def results(folder: Path, modules: Iterable[str]) -> str:
    """What mutmut says of every mutant: a line each."""
    copy, tools = folder / "copy", folder / "tools"
    subprocess.run(["git", "clone", "--quiet", ROOT, copy], check=True)
    config = _CONFIG.format(
        sources=json.dumps([f"streams/core/{module}.py" for module in modules]),
        tests=json.dumps([f"tests/streams/core/test_{module}.py" for module in modules]),
    )
    (copy / "pyproject.toml").write_text((copy / "pyproject.toml").read_text() + config)
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-warn-conflicts", "--target", tools, MUTMUT],
        check=True,
    )
    mutmut = [sys.executable, str(tools / "bin" / "mutmut")]
    environment = os.environ | {"PYTHONPATH": str(tools)}
    subprocess.run([*mutmut, "run"], cwd=copy, env=environment, stdout=subprocess.DEVNULL, check=False)
    told = [*mutmut, "results", "--all", "true"]
    return subprocess.run(told, cwd=copy, env=environment, capture_output=True, text=True, check=True).stdout


def counted(told: str) -> Mapping[str, Counter[str]]:
    """By module how mutants ended."""
    found: dict[str, Counter[str]] = {}
    for module, end in _LINE.findall(told):
        found.setdefault(module, Counter())[end] += 1
    return found


def score(ends: Counter[str]) -> float:
    """The part that was noticed; what no test runs at all was not."""
    return sum(ends[end] for end in NOTICED) / max(1, ends.total())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
