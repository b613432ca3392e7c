"""Simulated histories: one seed is one history of workers, faults and recovery, run on virtual time, then checked.

`run(seed)` plays it and says what did not hold. Product functions may be patched in this process meanwhile.
"""

from __future__ import annotations

import contextlib
import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import structlog

from tests.histories.checks import NAMES, Anomaly, anomalies
from tests.histories.steps import Plan, Step, plan
from tests.histories.world import play


@dataclass
class History:
    """What came of one plan."""

    plan: Plan
    anomalies: list[Anomaly]
    effects: Counter[str]
    """Faults that took effect, by kind."""
    looked_at: Counter[str] = field(default_factory=Counter)
    """What there was to check."""

    @property
    def seed(self) -> int:
        return self.plan.seed

    @property
    def ok(self) -> bool:
        return not self.anomalies


def run(seed: int, steps: tuple[Step, ...] | None = None) -> History:
    """The history of a seed; with `steps` in place of its own, which is how it is shrunk."""
    made = plan(seed)
    return follow(made if steps is None else Plan(**{**_fields(made), "steps": steps}))


def follow(made: Plan) -> History:
    """The history of a plan."""
    with silent():
        world = play(made)
    tables = world.tables
    looked_at = Counter(
        records=len(world.logs.sent), commits=len(tables.commits), alerts=len(tables.alerts),
        letters=len(tables.letters), posts=len(world.servers.receiver.log), fenced=len(tables.fenced),
        steps=len(made.steps),
    )  # fmt: skip
    return History(made, anomalies(world), world.effects, looked_at)


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Nothing is logged meanwhile: histories are all warnings."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)


def _fields(made: Plan) -> dict[str, object]:
    return {name: getattr(made, name) for name in made.__struct_fields__}


__all__ = ["NAMES", "Anomaly", "History", "Plan", "Step", "follow", "plan", "run"]
