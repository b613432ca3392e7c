"""`python -m tests.fuzz.one TARGET`: fuzzes one target in this process until its time is over or something fails.

With atheris, whose coverage guides it; it has wheels for Linux on x86-64 alone. Elsewhere inputs are changed blindly,
from a seed: shallower, but the same checks.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from tests.fuzz import corpus
from tests.fuzz.mutations import mutated
from tests.fuzz.targets import TARGETS, Target

LONGEST = 4096
FAILED = 77
"""The exit status of a failure, libFuzzer's own."""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="for what is learnt and found")
    options = parser.parse_args(arguments)
    target = TARGETS[options.target]
    if has_atheris():
        return guided(target, options.seconds, options.seed, options.folder)
    return blind(target.name, target.check(), options.seconds, options.seed, options.folder)


def has_atheris() -> bool:
    return importlib.util.find_spec("atheris") is not None


def guided(target: Target, seconds: int, seed: int, folder: Path) -> int:
    """Never returns: libFuzzer ends the process."""
    import atheris

    with atheris.instrument_imports(include=list(target.about)):
        check = target.check()
    known = folder / "known"
    corpus.unpack(target.name, known)
    flags = [
        f"-max_total_time={seconds}",
        f"-seed={seed + 1}",
        f"-max_len={LONGEST}",
        "-timeout=20",
        "-rss_limit_mb=3072",
    ]
    atheris.Setup([sys.argv[0], *flags, "-print_final_stats=1", f"-artifact_prefix={folder}/found-", str(known)], check)
    atheris.Fuzz()
    return 0


def blind(name: str, check: Callable[[bytes], None], seconds: int, seed: int, folder: Path) -> int:
    """Says how much it did in libFuzzer's words."""
    draw = random.Random(seed)
    known = list(corpus.inputs(name))
    began = time.monotonic()
    count = 0
    while time.monotonic() < began + seconds:
        data = mutated(draw, known)[:LONGEST]
        count += 1
        try:
            check(data)
        except Exception:  # noqa: BLE001 - any is a finding
            (folder / f"found-{count}").write_bytes(data)
            traceback.print_exc()
            return FAILED
    print(f"stat::number_of_executed_units: {count}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
