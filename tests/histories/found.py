"""Histories that are red with a defect that the product had once: what it was, the detector, and its small test.

They lie in `found.json` as plans, so that they stay what they are when plans are made otherwise. Who mends what a red
seed showed adds its shrunk plan there: `python -m tests.histories --seed N --keep …` says which steps those are.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct

from tests.histories.steps import Plan


class Found(Struct, frozen=True):
    """One history, with what it found."""

    found: str
    detector: str
    test: str
    """FILE::NAME of the small test."""
    plan: Plan


def all_found() -> list[Found]:
    return msgspec.json.decode(Path(__file__).with_suffix(".json").read_bytes(), type=list[Found])
