"""`python -m tests.crashes [-k …] [--json]`: programs die at all crash points, with every record everywhere in a batch.

Points 1 to 20 with each kind of record at each place of a batch, the others once each, where it matters with several
kinds. Arguments go to pytest: `-k "4_ or 13_"` is some points, `-n 2 --dist load` two at a time. With --json the last
line is one JSON object: how many programs died where they were to, and for each point how many of them.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from tests.crashes.points import POINTS
from tests.told import run

EACH = ["-m", "campaign or not campaign", "-p", "no:hypothesispytest"]


def main(arguments: list[str]) -> int:
    as_json = "--json" in arguments
    told = run(Path(__file__).parent, [*EACH, *(argument for argument in arguments if argument != "--json")])
    if as_json:
        red = [test["test"] for test in told.tests if test["outcome"] != "passed"]
        died = Counter(name for key, names in told.properties if key == "died" for name in names.split(",") if name)
        print(json.dumps(told.counts | {"red": red, "crashes": died.total(), "points": points(died)}))
    return told.status


def points(died: Counter[str]) -> list[dict[str, Any]]:
    """Every point in its order."""
    return [
        {"number": point.number, "point": name, "program": point.role, "died": died[name], "then": point.then}
        for name, point in POINTS.items()
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
