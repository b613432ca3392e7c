"""All planted bugs by name, and how to plant one. The product has no switch for them: they replace its code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.planted import delivery_bugs, lane_bugs, letter_bugs, operator_bugs, pressure_bugs, store_bugs
from tests.planted.conditions import CONDITIONS
from tests.planted.patches import Bug, Patches

MODULES = (lane_bugs, store_bugs, letter_bugs, pressure_bugs, delivery_bugs, operator_bugs)
BUGS: dict[str, Bug] = {
    bug.name: bug for bug in sorted((bug for module in MODULES for bug in module.BUGS.bugs), key=lambda bug: bug.number)
}


def plant(names: str) -> Patches:
    """Plants in this process what is named, bugs and conditions, joined by `+`. KeyError where there is none such."""
    patches = Patches()
    for name in names.split("+"):
        (BUGS[name].plant if name in BUGS else CONDITIONS[name])(patches)
    return patches


@contextmanager
def planted(name: str | None) -> Iterator[None]:
    """The bug is there within; None: none is."""
    if name is None:
        yield
        return
    patches = plant(name)
    try:
        yield
    finally:
        patches.restore()
