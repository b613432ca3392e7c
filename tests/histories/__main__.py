"""`python -m tests.histories`: plays so many histories, counts what took effect, and shrinks the first that is red."""

from __future__ import annotations

import argparse
import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from typing import Any

from tests.histories import follow, plan, run
from tests.histories.shrink import only, shrunk
from tests.histories.totals import Totals, totals

CHUNK = 250


def main() -> int:
    given = _arguments()
    if given.keep is not None:
        return _again(given.seed, given.keep)
    began = time.monotonic()
    counted = _play(given.seed, given.count, given.processes)
    red = [_told(seed) for seed in counted.red[: given.shrink]]
    seconds = round(time.monotonic() - began, 1)
    figures = {
        "ok": not counted.red, "histories": counted.histories, "seconds": seconds, "red": counted.red[:100],
        "anomalies": counted.anomalies, "effects": counted.effects, "looked_at": counted.looked_at, "shrunk": red,
    }  # fmt: skip
    print(json.dumps(figures) if given.json else _text(figures))
    return 1 if counted.red else 0


def _arguments() -> Any:
    parser = argparse.ArgumentParser(prog="python -m tests.histories", description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="histories")
    parser.add_argument("--seed", type=int, default=1, help="of the first; the others follow")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--shrink", type=int, default=3, help="so many red ones at most are shrunk")
    parser.add_argument("--keep", type=_numbers, help="only these steps of the one history, as in 0,3,5")
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
    return parser.parse_args()


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(",") if part)


def _play(first: int, count: int, processes: int) -> Totals:
    starts = range(first, first + count, CHUNK)
    chunks = [(start, min(CHUNK, first + count - start)) for start in starts]
    whole = Totals()
    with ProcessPoolExecutor(processes) as pool:
        for number, part in enumerate(pool.map(_chunk, chunks), start=1):
            whole.add(part)
            if number % 40 == 0:
                print(f"{whole.histories} histories, {len(whole.red)} red", file=sys.stderr, flush=True)
    return whole


def _chunk(chunk: tuple[int, int]) -> Totals:
    return totals(*chunk)


def _told(seed: int) -> dict[str, Any]:
    kept = shrunk(seed)
    history = follow(only(plan(seed), kept))
    return {
        "seed": seed,
        "again": f"python -m tests.histories --seed {seed} --keep {','.join(map(str, kept))}",
        "steps": [str(step) for step in history.plan.steps],
        "anomalies": [[each.detector, each.where, each.detail] for each in islice(history.anomalies, 5)],
    }


def _again(seed: int, kept: tuple[int, ...]) -> int:
    history = follow(only(plan(seed), kept)) if kept else run(seed)
    for step in history.plan.steps:
        print(step)
    for anomaly in history.anomalies:
        print(f"{anomaly.detector} at {anomaly.where}: {anomaly.detail}")
    return 0 if history.ok else 1


def _text(figures: dict[str, Any]) -> str:
    lines = [f"{figures['histories']} histories in {figures['seconds']} s, {len(figures['red'])} red"]
    lines += [f"  {name} {count}" for name, count in sorted(figures["effects"].items())]
    lines += [f"checked: {dict(sorted(figures['looked_at'].items()))}"]
    for red in figures["shrunk"]:
        lines += ["", f"seed {red['seed']}: {red['again']}", *(f"  {step}" for step in red["steps"])]
        lines += [f"  -> {' '.join(anomaly)}" for anomaly in red["anomalies"]]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
