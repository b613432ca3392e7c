"""The demonstration's workers: started where their metrics can be asked, killed by the script, started again."""

from __future__ import annotations

import asyncio
import signal

from ops.demo.board import Board
from ops.devstack.layout import free_port
from ops.devstack.processes import Child, StackFailed
from ops.devstack.stack import Stack

RESTART_LIMIT = 10

_PORTS = {"match": "match_port", "forward": "forward_port", "dead-letters": "dead_letters_port"}
"""The setting of a role's own port."""


class Workers:
    """Keeps those running that the script did not kill."""

    def __init__(self, stack: Stack, board: Board) -> None:
        self._stack = stack
        self._board = board
        self._ports: dict[int, int] = {}
        self._killed: set[str] = set()

    def start(self, name: str) -> None:
        port = free_port()
        child = self._stack.start_worker(name, **{_PORTS[name.rpartition("-")[0]]: port})
        self._ports[child.pid] = port
        self._stack.remember()

    async def kill(self, name: str) -> int:
        """kill -9; returns the pid once it is gone."""
        victim = self._stack.children[name]
        self._killed.add(name)
        victim.signal(signal.SIGKILL)
        await asyncio.to_thread(victim.process.wait)
        return victim.pid

    @property
    def ports(self) -> dict[int, int]:
        """Where the metrics of every worker that runs are, by pid."""
        return {pid: self._ports[pid] for pid in self.names}

    @property
    def names(self) -> dict[int, str]:
        """Every worker that runs, by pid."""
        children = self._stack.children.values()
        return {child.pid: child.name for child in children if child.pid in self._ports and child.running}

    def look_after(self) -> None:
        """Shows every process, and starts workers again that ended by themselves.

        Raises StackFailed when they keep ending.
        """
        stack, board = self._stack, self._board
        board.processes = {name: self._state(name, child) for name, child in stack.processes().items()}
        ended = [
            child for name, child in stack.children.items()
            if not child.running and name not in self._killed and child.pid in self._ports
        ]  # fmt: skip
        for child in ended:
            board.restarts += 1
            if board.restarts > RESTART_LIMIT:
                raise StackFailed(f"workers keep ending; {child.name} last:\n{child.tail()}")
            board.say(f"{child.name} ended by itself ({child.process.returncode}); starting it again")
            self.start(child.name)

    def _state(self, name: str, child: Child) -> str:
        return "up" if child.running else "killed" if name in self._killed else "DOWN"
