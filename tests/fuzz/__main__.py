"""`make fuzz`: asks the running API what its own OpenAPI document allows and forbids, with the key of every role.

`--calls N` is how much, `--seed N` what is made up; `--json` ends with one JSON object. `--target parsers` fuzzes every
parser that outsiders reach instead, `--target codec` (and the like) one of them, `--seconds N` each.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from ops.devstack.stack import Stack
from tests.fuzz.parsers import fuzz_parsers
from tests.fuzz.targets import TARGETS
from tests.integration.conftest import empty_topics, new_database

CALLS, SECONDS = 2000, 60
API, PARSERS = "api", "parsers"


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    if options.target == API:
        report = _fuzz_api(options)
    else:
        names = TARGETS if options.target == PARSERS else [options.target]
        report = fuzz_parsers(names, options.seconds, options.seed)
    print(json.dumps(report) if options.json else f"ok: {report['ok']}")
    return 0 if report["ok"] else 1


def _fuzz_api(options: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="mutt-fuzz-") as folder:
        stack = Stack(Path(folder), fsync=False)
        try:
            stack.start_postgres()
            stack.start_kafka()
            empty_topics(stack)
            return asyncio.run(_run(stack, options.calls, options.seed))
        finally:
            stack.stop_all()


async def _run(stack: Stack, calls: int, seed: int) -> dict[str, Any]:
    from tests.fuzz.run import fuzz  # schemathesis takes a second to import, and brings warnings of its own
    from tests.fuzz.world import world

    database = await new_database(stack)
    try:
        async with world(stack, database) as asked:
            return await asyncio.to_thread(fuzz, asked, calls, seed)
    finally:
        database.pool.terminate()


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--target", choices=[API, PARSERS, *TARGETS], default=API, help="what is fuzzed")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="how long each parser")
    parser.add_argument("--calls", type=int, default=CALLS, help="how many requests, about")
    parser.add_argument("--seed", type=int, default=0, help="what is made up")
    parser.add_argument("--json", action="store_true", help="end with one JSON object")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
