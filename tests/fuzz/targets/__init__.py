"""What is fuzzed beside the API: one function a target that takes any bytes and asserts what must hold for them."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import NamedTuple


class Target(NamedTuple):
    """A module here with a `check`, and the modules of the product whose branches guide the fuzzer."""

    name: str
    about: tuple[str, ...]

    def check(self) -> Callable[[bytes], None]:
        """Imports the target; AssertionError, or any other exception, is a finding."""
        check: Callable[[bytes], None] = import_module(f"{__name__}.{self.name}").check
        return check


TARGETS = {
    target.name: target
    for target in (
        Target("codec", ("schemas",)),
        Target("lines", ("schemas",)),
        Target("rules", ("schemas.rule_fields", "streams.core.expressions", "streams.core.matching")),
        Target("cursors", ("api.cursors",)),
        Target("urls", ("streams.adapters.webhook", "schemas.settings")),
        Target("letters", ("streams.core.letters", "streams.core.foreign_letters", "streams.core.letter_headers")),
    )
}
