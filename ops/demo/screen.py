"""The live screen of the demonstration, drawn from the board. Nothing on it is event text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn

from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ops.demo.board import Board

STEPS_SHOWN = 8


class Output(Console):
    """A console whose closed pipe ends the command as every other command's does."""

    def on_broken_pipe(self) -> NoReturn:
        raise BrokenPipeError


def draw(board: Board) -> RenderableType:
    """The whole screen for this moment."""
    figures = board.figures
    flow = _table(
        "events",
        [
            ("acknowledged", board.acknowledged.total()),
            ("decided", figures.decided),
            ("lag", figures.lag),
            ("events/s", f"{board.events_per_second:,.0f}"),
        ],
    )
    fates = _table("dispositions", figures.dispositions.items())
    alerts = _table("alerts", [(state, figures.alerts.get(state, 0)) for state in ("pending", "delivered", "dead")])
    letters = _table("dead letters", sorted(figures.letters.items()))
    workers = _table("processes", sorted(board.processes.items()))
    return Panel(
        Group(Columns([flow, fates, alerts, letters, workers]), Text(), *_steps(board)),
        title="mutt: the main job on real servers",
        subtitle="Ctrl-C ends it",
    )


def sheet(checks: Iterable[dict[str, object]]) -> RenderableType:
    """The balance sheet as a table."""
    table = Table(title="balance sheet", title_justify="left")
    for name in ("", "what must hold", "left", "right"):
        table.add_column(name, justify="right" if name in ("left", "right") else "left")
    for check in checks:
        mark = Text("ok", style="green") if check["ok"] else Text("NOT EQUAL", style="bold red")
        table.add_row(mark, str(check["check"]), _short(check["left"]), _short(check["right"]))
    return table


def _steps(board: Board) -> list[Text]:
    shown = board.steps[-STEPS_SHOWN:]
    lines = [Text(f"{at:6.1f} s  {step}", style="dim") for at, step in shown]
    if lines:
        lines[-1].stylize("bold not dim")
    return lines


def _table(title: str, rows: Iterable[tuple[str, object]]) -> Table:
    table = Table(title=title, title_justify="left", show_header=False, min_width=24)
    table.add_column()
    table.add_column(justify="right")
    for name, value in rows:
        text = f"{value:,}" if isinstance(value, int) else str(value)
        table.add_row(Text(name), Text(text, style="bold red" if value == "DOWN" else ""))
    return table


def _short(value: object) -> str:
    if isinstance(value, dict):
        return f"{sum(value.values())} in {len(value)} kinds"
    if isinstance(value, list):
        return "none" if not value else ", ".join(map(str, value[:3]))
    return str(value)
