"""`make bench`: mutt against the raw COPY, stock Faust, an afternoon's loop and its peers, and its own bounds.

Ratios count: they come from interleaved rounds of one run; the machine is shared and absolute figures move. Every run
that counts has exact books, or the bench ends. `--json` ends with one JSON object; `--quick` runs the first rows with
fewer events; `--only` runs one part, by its name or the name of a figure. Four are not part of the whole: `api`
measures answers of the API with `--rows` audited events, `hostile` matches with `--rules` hostile rules, `retention`
commits while `--rows` rows a month are archived and deleted, `scale` shows what an event costs as everything grows.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.bench import api, hostile, stall
from tests.bench.arena import open_arena
from tests.bench.goals import BY_KEY, Goal
from tests.bench.parts import NAMES, Part, chosen
from tests.bench.report import Figures, judged, merged, say
from tests.bench.sizes import FULL, QUICK

LIBRARIES = ("faust-streaming", "aiokafka", "asyncpg", "hyperscan", "msgspec", "confluent-kafka", "psycopg")
API_ROWS = 200_000
APART = {"api": api.TARGETS, "hostile": hostile.TARGETS, "retention": stall.TARGETS}
"""Goals of parts of their own; a negative bound is a maximum."""


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutt-bench-") as folder:
        figures = _measured(Path(folder), options)
    goals = judged(figures, _goals(options.only))
    missed = {name: goal["value"] for name, goal in goals.items() if not goal["reached"]}
    _print(figures, goals)
    report = {
        "ok": not missed, "missed": missed, "goals": goals, "seconds": round(time.monotonic() - began),
        "machine": _machine(), "versions": _versions(), **figures,
    }  # fmt: skip
    print(json.dumps(report) if options.json else f"missed: {missed}" if missed else "all goals reached")
    return 1 if missed else 0


def _measured(home: Path, options: argparse.Namespace) -> Figures:
    if options.only == "api":
        return asyncio.run(api.measure(home, options.rows or API_ROWS, options.sizes.seconds))
    if options.only == "hostile":
        return hostile.measure(options.rules)
    if options.only == "retention":
        return asyncio.run(stall.measure(home, options.rows or stall.ROWS))
    return asyncio.run(_run(home, chosen(options.only, quick=options.quick), options))


async def _run(home: Path, parts: tuple[Part, ...], options: argparse.Namespace) -> Figures:
    found: list[Figures] = []
    took: dict[str, int] = {}
    with open_arena(home) as arena:
        for part in parts:
            began = time.monotonic()
            found.append(await part.measure(arena, options.sizes))
            took[part.name] = round(time.monotonic() - began)
            say(f"{part.name} took {took[part.name]} s")
    return merged(found) | {"took_s": took}


def _goals(only: str | None) -> Mapping[str, Goal]:
    if only not in APART:
        return BY_KEY
    return {key: Goal(key, abs(bound), key, at_most=bound < 0) for key, bound in APART[only].items()}


def _print(figures: Figures, goals: Mapping[str, Mapping[str, Any]]) -> None:
    for name, value in figures.items():
        if not isinstance(value, dict):
            goal = goals.get(name)
            print(
                f"{name:26} {value!s:>10}" + (f"  {goal['goal']}: {'yes' if goal['reached'] else 'NO'}" if goal else "")
            )


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="end with one JSON object")
    parser.add_argument("--quick", action="store_true", help="the first rows, few events: a look, not a measurement")
    parser.add_argument("--only", choices=[*NAMES, *APART], metavar="NAME", help="one part: its name or a figure's")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--events", type=int)
    parser.add_argument(
        "--rows", type=int, help="audited events of `api` and a month of `retention` (200000), of `scale` (20000000)"
    )
    parser.add_argument("--rules", type=int, default=10_000, help="hostile rules")
    options = parser.parse_args(arguments)
    given = {name: value for name in ("rounds", "events", "rows") if (value := getattr(options, name)) is not None}
    if "rows" in given:
        given["table_rows"] = given.pop("rows")
    options.sizes = replace(QUICK if options.quick else FULL, **given)
    return options


def _versions() -> dict[str, str]:
    return {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES}


def _machine() -> dict[str, Any]:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine()
    )
    return {
        "cpu": model,
        "cores": len([line for line in lines if line.startswith("processor")]),
        "os": platform.system(),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
