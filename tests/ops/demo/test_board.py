"""What the demonstration knows, and how it is drawn."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from ops.demo.board import Board, Figures, Held, Page, Replayed, Told
from ops.demo.run import show_books
from ops.demo.screen import draw, sheet
from schemas.config import DynamicConfig
from schemas.dead_letters import FACTS
from streams.core.backpressure import Level

HELD = Held("backlog", "match-1", 12, 3.2)


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


def test_what_waited_and_stood_still_is_remembered_at_its_most() -> None:
    board = Board(announce=lambda line: None)
    for figures in (Figures(), Figures(alerts={"pending": 9}, held=[HELD, replace(HELD, worker="match-2")]), Figures()):
        board.update(figures)
    assert (board.most_pending, board.most_paused) == (9, 24)


def busy_board() -> Board:
    board = Board(announce=lambda line: None)
    board.update(
        Figures(
            dispositions=dict.fromkeys(("alerted", "logged", "ignored", "unhandled", "shed", "rejected"), 123_456),
            alerts={"pending": 77},
            letters={"shed": 8, "delivery": 5} | {reason.value: 3 for reason in FACTS},
            decided=4000,
            log_end=4321,
            config=DynamicConfig(alerter_shed_mode="defer"),
            held=[HELD, replace(HELD, worker="match-2"), Held("breaker", "forward-1", 8)],
            shed={5: 31, 4: 2},
            by_itself=Replayed(2, 41, 1),
            by_hand=Replayed(1, 17),
            told=Told(level=Level.SHED, breaker="half-open", opened=1, probes_failed=6, remediation="watching"),
        )
    )
    board.pages = [Page("alert-delivery", "1h", "page", "it burns", firing=True)]
    board.processes = {"match-1": "killed", "match-2": "up", "match-3": "DOWN"}
    for number in range(40):
        board.say(f"step {number}, told at a length that does not fit into one line of a small terminal, but in two")
    board.say("[red]killed[/red] a worker")
    return board


@pytest.mark.parametrize(
    "wanted",
    [
        "alerted 123,456", "77 pending", "321 lag", "duplicate_key 3", "match-1 killed", "match-3 DOWN",
        "[red]killed[/red] a worker", "77  SHED  warn 1,000  shed 2,000  hard 20,000  mode defer",
        "backlog 24 partitions, 3 s (match-1, match-2)  breaker 8 partitions (forward-1)",
        "by severity  5: 31  4: 2  never 2 or worse", "breaker half-open  opened: 1  probes failed: 6",
        "probes failed: 6  pager rings",
        "remediation watching: round 2, 41 sent, 1 came back  by hand: 17 sent",
    ],
)  # fmt: skip
def test_the_screen_shows_every_figure_and_the_step_in_hand(wanted: str) -> None:
    assert wanted in text(draw(busy_board(), 160, 40), width=160)


@pytest.mark.parametrize(("width", "height"), [(80, 23), (100, 30), (120, 35), (200, 60)])
def test_the_screen_fits_the_terminal_and_no_line_wraps(width: int, height: int) -> None:
    lines = text(draw(busy_board(), width, height), width=width + 50).splitlines()
    assert len(lines) <= height
    assert {len(line) for line in lines} == {width}
    assert "killed[/red] a worker" in lines[-2]


def test_before_there_are_figures_the_screen_shows_the_steps_alone() -> None:
    board = Board(announce=lambda line: None)
    board.say("starting")
    assert len(text(draw(board, 80, 23)).splitlines()) == 3


def test_the_sheet_marks_what_does_not_hold() -> None:
    checks = [
        {"check": "fine", "ok": True, "left": 1, "right": 1},
        {"check": "bad", "ok": False, "left": 1, "right": 2},
    ]
    lines = text(sheet(checks)).splitlines()
    assert [line for line in lines if "NOT EQUAL" in line] == [line for line in lines if " bad " in line] != []


@pytest.mark.parametrize(
    ("balanced", "problems", "verdict"),
    [(True, [], "the books balance"), (False, ["gave up waiting for \x1b[31mit"], "THE BOOKS DO NOT BALANCE")],
)
def test_the_verdict_comes_after_what_went_wrong(balanced: bool, problems: list[str], verdict: str) -> None:
    console = Console(file=io.StringIO(), width=120, color_system=None)
    result = {
        "checks": [{"check": "fine", "ok": balanced, "left": 1, "right": 1}], "problems": problems,
        "shed": {"total": 7}, "remediation": {"replayed": 5}, "paused_seconds": {}, "balanced": balanced,
        "ok": balanced,
    }  # fmt: skip
    show_books(console, result)
    assert isinstance(console.file, io.StringIO)
    shed, *told, last = console.file.getvalue().splitlines()[-2 - len(problems) :]
    assert shed.startswith("7 shed, 5 of them replayed by remediation")
    assert (len(told), last) == (len(problems), verdict)
    assert "\x1b" not in "".join(told)
