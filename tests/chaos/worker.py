"""A program of mutt as it is run in production, which dies at a crash point, or in which a bug was planted.

Run as `python -m tests.chaos.worker ROLE [--crash NAME[:NTH]] [--bug NAME] [-- ARGUMENT …]`, with settings from
MUTT_* variables. ROLE is a worker (match, forward, dead-letters), `api`, or `mutt` with the arguments of a command.
"""

from __future__ import annotations

import argparse
import runpy
import sys

WORKERS = ("match", "forward", "dead-letters")


def main(arguments: list[str]) -> None:
    split = arguments.index("--") if "--" in arguments else len(arguments)
    asked = _parser().parse_args(arguments[:split])
    if asked.bug:
        from tests.planted.bugs import plant

        plant(asked.bug)
    if asked.crash:
        from tests.crashes.dying import arm
        from tests.crashes.points import POINTS

        name, _, nth = asked.crash.partition(":")
        arm(POINTS[name], int(nth or 1))
    _run(asked.role, arguments[split + 1 :])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tests.chaos.worker")
    parser.add_argument("role", choices=(*WORKERS, "api", "mutt"))
    parser.add_argument("--crash", metavar="NAME[:NTH]", help="die at this crash point, the nth time it is reached")
    parser.add_argument("--bug", metavar="NAME", help="plant this bug first")
    return parser


def _run(role: str, arguments: list[str]) -> None:
    if role == "api":
        sys.argv = ["api"]
        runpy.run_module("api", run_name="__main__", alter_sys=True)
        return
    from ops.cli.mutt import main as command

    sys.argv = ["mutt", *(["worker", role] if role in WORKERS else arguments)]
    command()


if __name__ == "__main__":
    main(sys.argv[1:])
