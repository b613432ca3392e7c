"""How far a long command is: a bar on a terminal, a line now and then elsewhere, on standard error in both cases."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

LINE_EVERY_S = 10.0


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Call what this gives with how many more are done."""
    console = Console(stderr=True)
    if not console.is_terminal:
        lines = Lines(what, total, time.monotonic)
        yield lambda more: lines.add(more, console.print)
        return
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda more: bar.update(task, advance=more)


class Lines:
    """Progress as text, a line each LINE_EVERY_S."""

    def __init__(self, what: str, total: int, clock: Callable[[], float]) -> None:
        self._what = what
        self._total = total
        self._clock = clock
        self._done = 0
        self._begin = self._told = clock()

    def add(self, more: int, tell: Callable[[str], None]) -> None:
        """Tells the line that is due, if one is."""
        self._done += more
        now = self._clock()
        if now - self._told < LINE_EVERY_S:
            return
        self._told = now
        left = (now - self._begin) / max(1, self._done) * max(0, self._total - self._done)
        tell(f"{self._what}: {self._done} of {self._total}, about {left:.0f} s left")
