"""`make fuzz ARGS="--target parsers"`: every parser that outsiders reach,
for so many seconds each in its own process."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.fuzz.corpus import escaped
from tests.fuzz.one import has_atheris
from tests.fuzz.targets import TARGETS

GRACE_S = 120
"""Beyond its seconds a target may start, and finish what it is at."""
TOLD = 2000
"""Characters of a failure's words."""
_UNITS = re.compile(r"stat::number_of_executed_units: (\d+)")


def fuzz_parsers(names: Iterable[str], seconds: int, seed: int) -> dict[str, Any]:
    """The report; a failure is told with its input, as a line for the corpus."""
    reports = {name: _one(name, seconds, seed) for name in names}
    return {
        "ok": not any(report["crashes"] for report in reports.values()),
        "engine": "atheris" if has_atheris() else "blind",
        "seed": seed,
        "executions": sum(report["executions"] for report in reports.values()),
        "crashes": sum(len(report["crashes"]) for report in reports.values()),
        "targets": reports,
    }


def _one(name: str, seconds: int, seed: int) -> dict[str, Any]:
    assert name in TARGETS
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutt-fuzz-") as folder:
        status, words = _run(name, seconds, seed, folder)
        found = [path.read_bytes() for path in sorted(Path(folder).glob("found-*"))]
    took = time.monotonic() - began
    units = _UNITS.search(words)
    executions = int(units[1]) if units else 0
    crashes = [{"input": escaped(data), "words": _tail(words)} for data in found]
    if status != 0 and not crashes:
        crashes = [{"input": None, "words": _tail(words)}]
    report = {"executions": executions, "per_second": round(executions / took), "seconds": round(took, 1)}
    print(f"{name}: {report}, {len(crashes)} failures", file=sys.stderr, flush=True)
    return report | {"crashes": crashes}


def _run(name: str, seconds: int, seed: int, folder: str) -> tuple[int, str]:
    command = [
        sys.executable,
        "-m",
        "tests.fuzz.one",
        name,
        "--seconds",
        str(seconds),
        "--seed",
        str(seed),
        "--folder",
        folder,
    ]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=seconds + GRACE_S, check=False
        )
    except subprocess.TimeoutExpired:
        return 1, "it did not end"
    return done.returncode, done.stdout + done.stderr


def _tail(words: str) -> str:
    """From the last traceback on: the fuzzer's own statistics come after it."""
    at = max(words.rfind("Uncaught Python exception"), words.rfind("Traceback"))
    return words[at if at >= 0 else -TOLD :][:TOLD]
