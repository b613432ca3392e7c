"""What the demonstration knows, and how it is drawn."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from ops.demo.board import Board, Figures
from ops.demo.screen import draw, sheet


def text(renderable: object, width: int = 120) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(renderable)
    output = console.file
    assert isinstance(output, io.StringIO)
    return output.getvalue()


@pytest.mark.parametrize(
    ("figures", "quiet"),
    [
        (Figures(), True),
        (Figures(decided=5, log_end=5, alerts={"delivered": 3, "dead": 1}), True),
        (Figures(decided=4, log_end=5), False),
        (Figures(alerts={"pending": 1}), False),
        (Figures(unpublished=1), False),
        (Figures(replaying=1), False),
    ],
)
def test_quiet_means_that_nothing_is_left_to_do(figures: Figures, quiet: bool) -> None:
    assert figures.quiet is quiet


def test_each_step_is_announced_once_with_its_time() -> None:
    lines: list[str] = []
    board = Board(announce=lines.append)
    board.say("one")
    board.say("two")
    assert [line.split("  ")[-1] for line in lines] == ["one", "two"]
    assert board.step == "two"


def test_the_screen_shows_every_figure_and_the_step_in_hand() -> None:
    board = Board(announce=lambda line: None)
    board.update(
        Figures(
            dispositions={"alerted": 1234},
            alerts={"pending": 77},
            letters={"duplicate_key": 3},
            decided=4000,
            log_end=4321,
        )
    )
    board.processes = {"match-1": "killed", "match-2": "up"}
    board.say("[red]killed[/red] a worker")
    shown = text(draw(board), width=160)
    for wanted in ("1,234", "77", "duplicate_key", "321", "match-1", "killed", "[red]killed[/red] a worker"):
        assert wanted in shown


def test_the_sheet_marks_what_does_not_hold() -> None:
    checks = [
        {"check": "fine", "ok": True, "left": 1, "right": 1},
        {"check": "bad", "ok": False, "left": 1, "right": 2},
    ]
    lines = text(sheet(checks)).splitlines()
    assert [line for line in lines if "NOT EQUAL" in line] == [line for line in lines if " bad " in line] != []
