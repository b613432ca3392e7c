"""Prometheus and Alertmanager beside the demonstration: where the workers are now, and what the pager is told."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from ops.demo.board import Board, Page
from ops.demo.workers import Workers
from ops.devstack.stack import Stack
from ops.prometheus.local import Monitoring

PACE = 300
"""An hour of the burn rates takes 12 s: the outage is that short, too."""
EVERY = "250ms"
LOOK_EVERY_S = 0.4


class Alarms:
    """Both programs as children of the stack; whoever ends the stack ends them. The receiver takes the pages."""

    def __init__(self, stack: Stack, board: Board, workers: Workers) -> None:
        """Raises Refused when one of the programs is not installed."""
        self._stack = stack
        self._board = board
        self._workers = workers
        self._shown: dict[str, list[int]] = {}
        self._monitoring = Monitoring(
            stack.layout.home / "monitoring",
            pager=stack.url(stack.sink_port, "/pages"),
            pace=PACE,
            every=EVERY,
            children=stack.children,
            certified=stack.certified,
        )

    async def start(self) -> None:
        """Raises StackFailed."""
        self._show_targets()
        await asyncio.to_thread(self._monitoring.start)
        self._stack.remember()
        self._board.say(
            f"Prometheus at {self._monitoring.prometheus_url} and Alertmanager watch;"
            f" an hour of the burn rates takes {3600 // PACE} s here"
        )

    async def run(self) -> None:
        """Goes on until cancelled; a receiver that is busy is asked again next time."""
        while True:
            self._show_targets()
            with suppress(OSError):
                self._board.paged(read_pages(await asyncio.to_thread(self._stack.sink_pages)))
            await asyncio.sleep(LOOK_EVERY_S)

    def _show_targets(self) -> None:
        """Workers come and go, each with a port of its own."""
        ports: dict[str, list[int]] = defaultdict(list)
        for pid, name in self._workers.names.items():
            ports[name.rpartition("-")[0]].append(self._workers.ports[pid])
        ports["api"] = [self._stack.api_port]
        for role, found in ports.items():
            if self._shown.get(role) != found:
                self._monitoring.show(role, found)
        self._shown = dict(ports)


def read_pages(posted: Iterable[Mapping[str, Any]]) -> list[Page]:
    """The burn-rate alerts among what Alertmanager posted, each as it was told last."""
    found: dict[tuple[str, str], Page] = {}
    for each in posted:
        labels = each["labels"]
        if labels["alertname"] == "MuttBudgetBurns":
            page = Page(
                labels["objective"], labels["window"], labels["severity"], each["annotations"]["summary"],
                firing=each["status"] == "firing",
            )  # fmt: skip
            found[page.objective, page.window] = page
    return list(found.values())
