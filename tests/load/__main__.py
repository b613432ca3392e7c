"""`make load`: backpressure under load, on real servers. Each scenario ends with the books balanced from outside.

`--only NAME` runs one scenario, `--json` ends with one JSON object.
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

from ops.devstack.stack import Stack
from tests.integration.pipeline import settled, until
from tests.load import verdict
from tests.load.scenarios import BY_NAME, RATE, SCENARIOS, SECONDS, Scenario
from tests.load.traffic import offer
from tests.load.watch import Seen, watching
from tests.load.world import HELD, MATCHERS, World, world

RSS_LIMIT_MIB = 250
DRAIN_S = 60
BURST_LIMIT = 1.25
"""One second's worth is the bucket of one worker; the rest is what the clocks of two processes make of it."""


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    chosen = [BY_NAME[name] for name in options.only] or list(SCENARIOS)
    with tempfile.TemporaryDirectory(prefix="mutt-load-") as folder:
        stack = Stack(Path(folder), fsync=False)
        try:
            stack.start_servers()
            reports = {scenario.name: asyncio.run(_run(stack, scenario)) for scenario in chosen}
        finally:
            stack.stop_all()
    failed = [name for name, report in reports.items() if report["problems"]]
    if options.json:
        print(json.dumps({"ok": not failed, "failed": failed, "scenarios": reports}))
    return 1 if failed else 0


async def _run(stack: Stack, scenario: Scenario) -> dict[str, Any]:
    """Runs a scenario to its end and judges it."""
    began = time.monotonic()
    async with world(stack, **scenario.config) as made, watching(made) as seen:
        await until(lambda: _ready(made), "workers have partitions", within=30)
        load = offer(made.bootstrap, rate=RATE, seconds=SECONDS, hosts=scenario.hosts)
        await scenario.act(made)
        await asyncio.to_thread(load.join)
        await settled(made.database.pool, made.bootstrap, within=DRAIN_S)
        await until(lambda: _delivered(made), "all alerts are delivered", within=DRAIN_S)
        report = await _report(made, scenario, seen)
        report["problems"] += (await verdict.problems(made, load.acked))[:10]
    report["seconds"] = round(time.monotonic() - began, 1)
    print(f"{scenario.name:24} {'ok' if not report['problems'] else 'FAILED'} {report}", file=sys.stderr, flush=True)
    return report


async def _report(made: World, scenario: Scenario, seen: Seen) -> dict[str, Any]:
    shed_at, limit = int(made.config["alerter_queue_shed_threshold"]), float(made.config["moog_rate_limit"])
    shed = await verdict.shed_by_severity(made)
    floor = 2
    burst = verdict.excess_over_limit(made, limit)
    wrong = {
        f"backlog {seen.backlog_max} went beyond the shed threshold by more than what is in flight": (
            made.config["alerter_shed_mode"] == "defer" and seen.backlog_max > made.shed_max + len(MATCHERS) * HELD
        ),
        f"a worker held {seen.rss_mib:.0f} MiB": seen.rss_mib > RSS_LIMIT_MIB,
        f"the receiver got {burst} seconds' worth of posts at once": burst > BURST_LIMIT,
        f"shed at the floor: {shed}": any(int(severity) <= floor for severity in shed),
        "intake never paused": scenario.pauses and not seen.backlog_s,
        "nothing was shed": scenario.sheds and not shed,
    }
    return {
        "backlog_max": seen.backlog_max,
        "backlog_over_shed": round(seen.backlog_max / shed_at, 2),
        "paused_s": round(seen.backlog_s, 1),
        "breaker_s": round(seen.breaker_s, 1),
        "shed_share": await verdict.alerting_share_shed(made),
        "shed_by_severity": shed,
        "rss_mib": round(seen.rss_mib),
        "burst_over_limit": burst,
        "out_of_order": len(await verdict.out_of_order(made)),
        "answers": verdict.answers(made),
        "problems": [text for text, holds in wrong.items() if holds],
    }


async def _ready(made: World) -> bool:
    return bool(await made.database.pool.fetchval("SELECT count(*) FROM partition_progress") >= 24)


async def _delivered(made: World) -> bool:
    return not await made.database.pool.fetchval("SELECT EXISTS (SELECT FROM alerts WHERE state = 'pending')")


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make load", description=__doc__)
    parser.add_argument("--json", action="store_true", help="end with one JSON object")
    parser.add_argument("--only", action="append", default=[], choices=list(BY_NAME), help="run this scenario alone")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
