"""`python -m tests.proof` writes docs/PROOF.md; `python -m tests.proof record NAME COMMAND` runs and keeps figures."""

from __future__ import annotations

import argparse
from pathlib import Path

from tests.proof.document import PROOF, document
from tests.proof.figures import record


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.proof", description=__doc__)
    actions = parser.add_subparsers(dest="action")
    recording = actions.add_parser("record", help="keep the last JSON line of a command in docs/proof/NAME.json")
    recording.add_argument("name")
    recording.add_argument("command", help="as typed in a shell, such as: make chaos ARGS='--seed 7 --json'")
    recording.add_argument("--output", type=Path, help="do not run it, take what it wrote into this file")
    asked = parser.parse_args()
    if asked.action == "record":
        record(asked.name, asked.command, asked.output)
    PROOF.write_text(document())


if __name__ == "__main__":
    main()
