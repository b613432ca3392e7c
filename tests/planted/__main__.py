"""`python -m tests.planted [NAME …] [--servers] [--json]`: looks for planted bugs, and says what found each.

Without names: all of them. Each is looked for where it is found cheapest, with --servers on the real servers.
With --json the last line is one JSON object: `ok`, how many were planted and found, and one entry a bug.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path

from ops.devstack.stack import Stack
from tests.chaos.checker import Anomaly
from tests.integration.conftest import ForkedStack, empty_topics, end_workers
from tests.planted.bugs import BUGS
from tests.planted.patches import Bug
from tests.planted.run import Result, in_histories, on_servers


def main(names: list[str], *, servers: bool, as_json: bool) -> int:
    bugs = [BUGS[name] for name in names or BUGS]
    results = [_told(in_histories(bug)) for bug in bugs if bug.histories and not servers]
    here = [bug for bug in bugs if servers or not bug.histories]
    if here:
        with tempfile.TemporaryDirectory() as home:
            results += asyncio.run(_on_servers(Path(home), here))
    results.sort(key=lambda result: result.number)
    found = sum(result.ok for result in results)
    if as_json:
        body = {"ok": found == len(results), "planted": len(results), "found": found}
        print(json.dumps(body | {"bugs": [result.as_json() for result in results]}))
    return 0 if found == len(results) else 1


async def _on_servers(home: Path, bugs: list[Bug]) -> list[Result]:
    stack: Stack = ForkedStack(home / "stack", fsync=False)
    greens: dict[str, list[Anomaly]] = {}
    try:
        stack.start_servers()
        empty_topics(stack)
        return [_told(await on_servers(stack, bug, greens)) for bug in bugs]
    finally:
        end_workers(stack)
        stack.kafka.kill()
        stack.stop_all()


def _told(result: Result) -> Result:
    verdict = "found " if result.ok else "MISSED" if not result.first else "NOT GREEN WITHOUT IT"
    red = ", ".join(result.red) or "nothing red"
    print(f"{result.number:3} {verdict} {result.seconds:5.1f} s  {result.name}: {red} ({result.where})", flush=True)
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="tests.planted", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="of bugs")
    parser.add_argument("--servers", action="store_true", help="look for all of them on the real servers")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    sys.exit(main(asked.names, servers=asked.servers, as_json=asked.json))
