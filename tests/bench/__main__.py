"""`make bench`: mutt against the raw COPY and against an afternoon's loop, in interleaved rounds of one run.

Ratios count: the machine is shared and its absolute figures move. `--json` ends with one JSON object, `--quick` takes a
minute, `--rounds N` sets how often each contestant runs. `--only api` measures answers of the API, and nothing
else, with `--rows` audited events; `--only hostile` matches with `--rules` hostile rules.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench import api, contestants, hostile
from tests.bench.arena import Arena, open_arena
from tests.bench.latency import latency_ms
from tests.bench.memory import rss_mib

RULES = 1_000
TARGETS = {"audited_over_copy": 0.4, "over_afternoon": 1.0, "latency_p99_ms_1k": -150, "rss_mib_lag": -250}
"""At least this; a negative bound is a maximum."""
LIBRARIES = ("faust-streaming", "aiokafka", "asyncpg", "hyperscan", "msgspec", "confluent-kafka", "psycopg")


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    with tempfile.TemporaryDirectory(prefix="mutt-bench-") as folder:
        figures, targets = PARTS[options.only](Path(folder), options)
    missed = {name: figures[name] for name, bound in targets.items() if not _reached(figures[name], bound)}
    for name, value in figures.items():
        print(f"{name:24} {value}")
    report = {"ok": not missed, "missed": missed, "versions": _versions(), **figures}
    print(json.dumps(report) if options.json else f"missed: {missed}" if missed else "all targets reached")
    return 1 if missed else 0


def _answers(home: Path, options: argparse.Namespace) -> tuple[dict[str, Any], dict[str, float]]:
    return asyncio.run(api.measure(home, options.rows, options.seconds)), api.TARGETS


def _race(home: Path, options: argparse.Namespace) -> tuple[dict[str, Any], dict[str, float]]:
    with open_arena(home, RULES) as arena:
        return asyncio.run(_measure(arena, options)), TARGETS


def _hostile(_: Path, options: argparse.Namespace) -> tuple[dict[str, Any], dict[str, float]]:
    return hostile.measure(options.rules), hostile.TARGETS


PARTS = {None: _race, "api": _answers, "hostile": _hostile}
"""What `--only` names; without it the race."""


async def _measure(arena: Arena, options: argparse.Namespace) -> dict[str, Any]:
    arena.fill(options.events)
    rounds: list[dict[str, float]] = []
    for number in range(options.rounds):
        rounds.append(await _round(arena))
        _say(f"round {number + 1} of {options.rounds}: {rounds[-1]}")
    figures: dict[str, Any] = {name: round(median(one[name] for one in rounds), 3) for name in rounds[0]}
    figures["rounds"] = options.rounds
    figures["events"] = options.events
    waits = await latency_ms(arena, options.seconds)
    _say(f"latency: {waits}")
    figures |= {f"latency_{name}_ms_1k": value for name, value in waits.items() if name != "alerts"}
    figures["rss_mib_lag"] = round(await rss_mib(arena, options.lag), 1)
    figures["lag"] = options.lag
    return figures


async def _round(arena: Arena) -> dict[str, float]:
    """Everybody once, close together in time, so that the machine's moods hit all alike."""
    audited, rows = await contestants.mutt(arena, audit_unhandled_events=True)
    copy_rate = await contestants.raw_copy(arena, rows)
    rows.clear()
    rival = await contestants.afternoon(arena)
    matched_only, _ = await contestants.mutt(arena)
    return {
        "audited_over_copy": audited.rate / copy_rate,
        "over_afternoon": audited.rate / rival.rate,
        "default_over_audited": matched_only.rate / audited.rate,
        "cpu_us": audited.cpu_us,
        "default_cpu_us": matched_only.cpu_us,
        "afternoon_cpu_us": rival.cpu_us,
        "cpu_over_afternoon": audited.cpu_us / rival.cpu_us,
        "events_per_s": round(audited.rate),
        "default_events_per_s": round(matched_only.rate),
        "afternoon_events_per_s": round(rival.rate),
        "copy_rows_per_s": round(copy_rate),
    }


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="end with one JSON object")
    parser.add_argument("--quick", action="store_true", help="fewer events and rounds: a look, not a measurement")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--only", choices=[name for name in PARTS if name], help="one part")
    parser.add_argument("--rows", type=int, default=200_000, help="audited events; 5000000 for the real figure")
    parser.add_argument("--rules", type=int, default=10_000, help="hostile rules")
    options = parser.parse_args(arguments)
    sizes = (50_000, 1, 5, 200_000) if options.quick else (200_000, 4, 20, 1_000_000)
    options.events, rounds, options.seconds, options.lag = sizes
    options.rounds = options.rounds or rounds
    return options


def _reached(value: float, bound: float) -> bool:
    return value >= bound if bound >= 0 else value <= -bound


def _versions() -> dict[str, str]:
    return {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES}


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
