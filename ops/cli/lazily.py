"""Groups of commands whose module is imported only when the group is asked for, so that help comes at once."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar

import typer
import typer.core
import typer.main


class LazyGroup(typer.core.TyperGroup):
    """The commands of `app` in a module. Until somebody looks at them, only its name and help are known."""

    module: ClassVar[str]

    @cached_property
    def _loaded(self) -> Mapping[str, Any]:
        app = importlib.import_module(self.module).app
        return typer.main.get_group(app).commands

    @property
    def commands(self) -> Any:
        return self._loaded

    @commands.setter
    def commands(self, none_yet: object) -> None:
        """What Typer found, which is nothing."""


def add_groups(app: typer.Typer, groups: Mapping[str, tuple[str, str]]) -> None:
    """Adds groups: the module in `ops.cli` and the help of each, by name."""
    for name, (module, about) in groups.items():
        kind = type("LazyGroup", (LazyGroup,), {"module": f"ops.cli.{module}"})
        app.add_typer(typer.Typer(cls=kind, help=about, no_args_is_help=True), name=name)
