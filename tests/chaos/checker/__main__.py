"""`python -m tests.chaos.checker --dsn … --bootstrap …`: checks a running system; the password comes from PGPASSWORD.

Exit code 0: nothing is wrong; 1: something is; 2: it could not be looked at.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from tests.chaos.checker.check import Sources, check
from tests.chaos.checker.report import last_line


def main(arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    if urlsplit(options.dsn).password:
        print("the password does not belong into an argument: set PGPASSWORD", file=sys.stderr)
        return 2
    canaries = options.canaries.read_text().split() if options.canaries else ()
    report = check(
        Sources(
            dsn=options.dsn, bootstrap=options.bootstrap, journals=options.journal, receiver_logs=options.receiver_log,
            logs=options.log, memory=options.memory, canaries=canaries, group=options.group, seed=options.seed,
            caps={name: float(most) for name, _, most in (cap.partition("=") for cap in options.cap)},
        )
    )  # fmt: skip
    print(report)
    if options.json:
        print(last_line(report))
    return 0 if report.ok else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.checker", description=__doc__)
    parser.add_argument("--dsn", required=True, help="of PostgreSQL, without a password")
    parser.add_argument("--bootstrap", help="Kafka; without it the tables alone are checked")
    for name, what in {
        "journal": "a producer's journal",
        "receiver-log": "the receiver's log: then every alert must have come to its end",
        "log": "a file that must not hold a canary",
        "memory": "samples of memory, a JSON object a line",
    }.items():
        parser.add_argument(f"--{name}", type=Path, action="append", default=[], help=f"{what}; may be repeated")
    parser.add_argument("--cap", action="append", default=[], metavar="FIGURE=MOST", help="for the memory samples")
    parser.add_argument("--canaries", type=Path, help="a file with the planted secrets, separated by white space")
    parser.add_argument("--group", default="mutt-match", help="the consumer group that matches")
    parser.add_argument("--seed", help="told in the report")
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
