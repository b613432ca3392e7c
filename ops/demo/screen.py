"""The live screen of the demonstration, drawn from the board. Nothing on it is event text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NoReturn

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ops.demo.board import Board, Figures, Held, Page, Told
from schemas.dead_letters import FACTS, Replayable
from streams.core.backpressure import Level

FRAME = 4
"""Columns of the panel's frame and its padding."""
LABEL = 14
BAR = 10
FEWEST_STEPS, MOST_STEPS = 3, 24


class Output(Console):
    """A console whose closed pipe ends the command as every other command's does."""

    def on_broken_pipe(self) -> NoReturn:
        raise BrokenPipeError


def draw(board: Board, width: int, height: int) -> RenderableType:
    """The whole screen for this moment: a line for each subject, then the latest steps; never larger than this."""
    inner = width - FRAME
    lines = [line for label, items in _rows(board) for line in _row(label, items, inner)]
    steps = [line for number, _ in enumerate(board.steps) for line in _step(board, number, inner)]
    room = max(FEWEST_STEPS, height - len(lines) - 3)
    gap = [Text()] if lines else []
    return Panel(
        Group(*lines, *gap, *steps[-min(room, MOST_STEPS) :]),
        title="mutt: the main job on real servers",
        subtitle="Ctrl-C ends it",
        width=width,
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


def _rows(board: Board) -> list[tuple[str, list[Text]]]:
    if not board.watched:
        return []
    figures = board.figures
    return [
        ("events", [
            _count(board.acknowledged.total(), "sent"), _count(figures.decided, "decided"), _count(figures.lag, "lag"),
            Text(f"{board.events_per_second:,.0f} a second"),
        ]),
        ("dispositions", [_named(*fate) for fate in figures.dispositions.items()]),
        ("alerts", [_count(figures.alerts.get(state, 0), state) for state in ("pending", "delivered", "dead")]),
        ("backlog", _backlog(figures)),
        ("paused", list(_paused(figures.held)) or [_nothing()]),
        ("shed", _shed(figures)),
        ("receiver", [*_breaker(figures.told), *_pager(board.pages)]),
        ("dead letters", _letters(figures)),
        ("replays", _replays(figures)),
        ("processes", [_process(name, state) for name, state in sorted(board.processes.items())]),
    ]  # fmt: skip


def _backlog(figures: Figures) -> list[Text]:
    """A bar as wide as twice the shed threshold, where everything above the floor is shed."""
    config, level = figures.config, figures.told.level
    style = _LEVELS[level]
    filled = min(BAR, BAR * figures.pending // (2 * config.alerter_queue_shed_threshold))
    bar = Text("━" * filled, style=style).append("━" * (BAR - filled), style="dim")
    thresholds = (
        ("warn", config.alerter_queue_warn_threshold),
        ("shed", config.alerter_queue_shed_threshold),
        ("hard", config.alerter_queue_hard_limit),
    )
    return [
        bar.append(f"{figures.pending:>7,}"), Text(f"{level.name:4}", style=style),
        *(_named(*threshold) for threshold in thresholds), Text(f"mode {config.alerter_shed_mode}"),
    ]  # fmt: skip


def _pager(pages: Sequence[Page]) -> list[Text]:
    """Nothing where nobody watches, or nothing was told yet."""
    if not pages:
        return []
    rings = any(page.firing and page.severity == "page" for page in pages)
    return [Text("pager rings", style="bold red") if rings else Text("pager quiet", style="green")]


_LEVELS = {Level.CALM: "green", Level.WARN: "yellow", Level.SHED: "bold red", Level.HARD: "bold red"}


def _paused(held: Sequence[Held]) -> Iterator[Text]:
    """An item a reason: how many partitions, since when, and which workers hold them."""
    for reason, group in groupby(sorted(held, key=_reason), key=_reason):
        members = list(group)
        since = [each.seconds for each in members if each.seconds is not None]
        count = f"{sum(each.partitions for each in members)} partitions" + (f", {max(since):.0f} s" if since else "")
        who = ", ".join(each.worker for each in members)
        yield Text(reason, style="yellow").append(f" {count} ({who})", style="default")


def _reason(held: Held) -> str:
    return held.reason


def _shed(figures: Figures) -> list[Text]:
    counts = [Text(f"{severity}: {count:,}") for severity, count in sorted(figures.shed.items(), reverse=True)]
    spared = Text(f"never {figures.config.alerter_shed_severity_floor} or worse", style="dim")
    return [Text("by severity"), *counts, spared] if counts else [_nothing(), spared]


def _breaker(told: Told) -> list[Text]:
    style = "green" if told.breaker == "closed" else "bold red"
    state = Text("breaker ").append(told.breaker, style=style)
    return [state, Text(f"opened: {told.opened:,}"), Text(f"probes failed: {told.probes_failed:,}")]


def _letters(figures: Figures) -> list[Text]:
    """What can be replayed first, then the producers' faults."""
    named = sorted(figures.letters.items(), key=lambda letter: (letter[0] not in _REPLAYABLE, letter[0]))
    return [_named(*letter) for letter in named] or [_nothing()]


_REPLAYABLE = {reason.value for reason, facts in FACTS.items() if facts.replayable is Replayable.YES}


def _replays(figures: Figures) -> list[Text]:
    state, done = figures.told.remediation, figures.by_itself
    remediation = Text("remediation ").append(state, style=_REMEDIATION.get(state, "dim"))
    if done.rounds:
        remediation.append(f": round {done.rounds:,}, {done.sent:,} sent, {done.came_back:,} came back")
    return [remediation, Text(f"by hand: {figures.by_hand.sent:,} sent")]


_REMEDIATION = {"watching": "green", "backing-off": "yellow", "stopped": "bold red"}


def _process(name: str, state: str) -> Text:
    style = {"up": "green", "killed": "yellow"}.get(state, "bold red")
    return Text(name, style=style).append("" if state == "up" else f" {state}")


def _nothing() -> Text:
    return Text("nothing", style="dim")


def _count(count: int, what: str) -> Text:
    return Text(f"{count:,} {what}")


def _named(name: str, count: int) -> Text:
    return Text(f"{name} {count:,}")


# -- lines ----------------------------------------------------------------------------------------------------------


def _row(label: str, items: Iterable[Text], width: int) -> Iterator[Text]:
    lines = _flow(items, width - LABEL, gap="  ")
    return _indented(Text(f"{label:{LABEL}}", style="bold cyan"), lines)


def _step(board: Board, number: int, width: int) -> Iterator[Text]:
    at, step = board.steps[number]
    stamp = Text(f"{at:6.1f} s  ")
    style = "bold" if number == len(board.steps) - 1 else "dim"
    lines = _flow([Text(word) for word in step.split(" ")], width - stamp.cell_len, gap=" ")
    for line in _indented(stamp, lines):
        line.stylize(style)
        yield line


def _flow(items: Iterable[Text], width: int, *, gap: str) -> list[Text]:
    """Items side by side, in as many lines as they need; none is broken, one that is too wide is cut."""
    lines: list[Text] = []
    for item in items:
        if lines and lines[-1].cell_len + len(gap) + item.cell_len <= width:
            lines[-1].append(gap).append_text(item)
        else:
            lines.append(item.copy())
    return lines or [Text()]


def _indented(first: Text, lines: Iterable[Text]) -> Iterator[Text]:
    for number, line in enumerate(lines):
        front = Text(" " * first.cell_len) if number else first.copy()
        whole = front.append_text(line)
        whole.no_wrap, whole.overflow = True, "ellipsis"
        yield whole


def _short(value: object) -> str:
    if isinstance(value, dict):
        return f"{sum(value.values())} in {len(value)} kinds"
    if isinstance(value, list):
        return "none" if not value else ", ".join(map(str, value[:3]))
    return str(value)
