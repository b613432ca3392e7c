"""Puts other code in the place of the product's, in this process only, and can put it back."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field


class Patches:
    """What was replaced, in order."""

    def __init__(self) -> None:
        self._before: list[tuple[object, str, object]] = []

    def replace(self, owner: object, name: str, by: object) -> None:
        """`owner` is a class or a module that has an attribute of this name."""
        self._before.append((owner, name, inspect.getattr_static(owner, name)))
        setattr(owner, name, by)

    def restore(self) -> None:
        while self._before:
            owner, name, value = self._before.pop()
            setattr(owner, name, value)


Plant = Callable[[Patches], None]


@dataclass(frozen=True)
class Bug:
    """One mistake: what it does, which detectors must notice it (at least one), and in which scenario it shows."""

    number: int
    """As in the list of planted bugs; those beyond 25 are our own."""
    name: str
    breaks: str
    detectors: frozenset[str]
    scenario: str
    """On real servers."""
    plant: Plant = field(repr=False)
    stalls: bool = False
    """Nothing more gets done once it struck."""
    histories: bool = False
    """Simulated histories show it too, and cheaper."""

    @property
    def in_the_gate(self) -> bool:
        """The 25, commits record by record, and what others of our own cost little."""
        return self.histories or self.number <= 26 or self.scenario == "receiver_fails"


class Collection:
    """The bugs of one module, in the order in which they stand there."""

    def __init__(self) -> None:
        self.bugs: list[Bug] = []

    def bug(
        self, number: int, breaks: str, *detectors: str, scenario: str, stalls: bool = False, histories: bool = False
    ) -> Callable[[Plant], Plant]:
        """Adds the bug that a function plants; it is called as the function is."""

        def add(plant: Plant) -> Plant:
            found = frozenset(detectors)
            self.bugs.append(Bug(number, plant.__name__, breaks, found, scenario, plant, stalls, histories))
            return plant

        return add
