"""`make load`: backpressure under load, on real servers. Each scenario ends with the books balanced from outside.

`--only NAME` runs one scenario, `--sweep` measures thresholds against each other instead; `--json` ends with one JSON
object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import asyncpg
from confluent_kafka import KafkaException

from ops.devstack.stack import Stack
from tests.integration.pipeline import settled, until
from tests.load import sweep
from tests.load.report import report
from tests.load.scenarios import BY_NAME, RATE, SCENARIOS, SECONDS, Scenario
from tests.load.traffic import offer
from tests.load.watch import say, watching
from tests.load.world import all_delivered, ready, world

DRAIN_S = 60
_FAULTS = (AssertionError, OSError, KafkaException, asyncpg.PostgresError)
"""What did not come true in time, and servers that do not do as asked."""


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    with tempfile.TemporaryDirectory(prefix="mutt-load-") as folder:
        stack = Stack(Path(folder), fsync=False)
        try:
            stack.start_servers()
            answer = sweep.run(stack) if options.sweep else _scenarios(stack, options.only)
        finally:
            stack.stop_all()
    if options.json:
        print(json.dumps(answer))
    return 0 if answer["ok"] else 1


def _scenarios(stack: Stack, names: list[str]) -> dict[str, Any]:
    chosen = [BY_NAME[name] for name in names] or list(SCENARIOS)
    reports = {scenario.name: asyncio.run(_run(stack, scenario)) for scenario in chosen}
    failed = [name for name, found in reports.items() if found["problems"]]
    return {"ok": not failed, "failed": failed, "scenarios": reports}


async def _run(stack: Stack, scenario: Scenario) -> dict[str, Any]:
    """Runs a scenario to its end and judges it. What ends it early is its problem."""
    began = time.monotonic()
    say(f"{scenario.name}: begins")
    try:
        found = await _play(stack, scenario)
    except _FAULTS as fault:
        found = {"problems": [f"{type(fault).__name__}: {fault}"]}
    found["seconds"] = round(time.monotonic() - began, 1)
    say(f"{scenario.name}: {'FAILED' if found['problems'] else 'ok'} {json.dumps(found)}")
    return found


async def _play(stack: Stack, scenario: Scenario) -> dict[str, Any]:
    async with world(stack, **scenario.config) as made, watching(made, scenario.name) as seen:
        await until(lambda: ready(made), "workers have partitions", within=30)
        load = made.load = offer(made.bootstrap, rate=RATE, seconds=SECONDS, make=scenario.make)
        acting = time.time()
        try:
            await scenario.act(made)
        finally:
            await asyncio.to_thread(load.join)
        acted = (acting, time.time())
        await settled(made.database.pool, made.bootstrap, within=DRAIN_S)
        await until(lambda: all_delivered(made), "all alerts are delivered", within=DRAIN_S)
        return await report(made, scenario, seen, load.acked, acted)


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make load", description=__doc__)
    parser.add_argument("--json", action="store_true", help="end with one JSON object")
    parser.add_argument("--only", action="append", default=[], choices=list(BY_NAME), help="run this scenario alone")
    parser.add_argument("--sweep", action="store_true", help="measure thresholds against each other")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
