"""The histories of the gate: two halves, for two processes; none may be red, and no fault may be there in name only."""

from __future__ import annotations

from tests.histories.steps import ANSWERS, CALLS
from tests.histories.totals import totals

HALF = 10_000

CALLED = {f"{name}:{kind}" for name, kinds in CALLS.items() for kind in kinds}
ANSWERED = {f"receiver:{answer}" for answer in ANSWERS}
DONE = {
    "clock step", "compaction", "configuration", "crash", "crash with work in hand", "freeze", "halt",
    "operator's pause", "rebalance", "replacement", "replay of delivery", "replay of shed", "retention", "stop",
    "truncation", "zombie",
}  # fmt: skip


def pass_half(number: int) -> None:
    """Plays a half, and prints what took effect in it."""
    found = totals(1 + number * HALF, HALF)
    print(f"\n{found.histories} histories: {dict(sorted(found.effects.items()))}; {dict(found.looked_at)}")
    assert not found.red, f"python -m tests.histories --count 1 --seed {found.red[0]}  # and {found.red[1:20]}"
    assert found.effects.keys() == CALLED | ANSWERED | DONE
    rare = {name: count for name, count in found.effects.items() if count < HALF // 1000}
    assert not rare
    assert found.looked_at["fenced"] > HALF // 20
