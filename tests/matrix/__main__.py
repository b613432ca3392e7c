"""`python -m tests.matrix [-k …] [-m campaign]`: runs the tests of the matrix; the last line is one JSON object.

Arguments go to pytest. Each test is named with its outcome, its seconds, and what it measured (`record_property`).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.told import run


def main(arguments: list[str]) -> int:
    told = run(Path(__file__).parent, arguments)
    print(json.dumps(told.counts | {"tests": told.tests}))
    return told.status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
