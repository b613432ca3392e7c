"""The detached process behind `muttdev up`: owns the children of a stack and starts again what dies.

Run as `python -m ops.devstack.supervisor HOME`. It writes `ready` into the state file when everything answers, and
ends all of it on SIGTERM.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from ops.devstack.processes import started_at
from ops.devstack.provision import provision
from ops.devstack.stack import WORKERS, Stack

CHECK_EVERY_S = 0.5
RESTART_AFTER_S = 1.0

_KEPT = ("ports", "outside", "failed")
"""What stays in the state file when the stack is down."""


def main(home: Path) -> None:
    stack = Stack(home)
    ending = _Ending()
    stack.layout.save(stack.layout.load() | {"supervisor": (os.getpid(), started_at(os.getpid())), "ready": False})
    try:
        _start(stack)
        stack.layout.save(stack.layout.load() | {"ready": True})
        asyncio.run(_watch(stack, ending))
    except Exception as error:
        stack.layout.save(stack.layout.load() | {"failed": str(error)})
        raise
    finally:
        stack.stop_all()
        stack.layout.save({key: value for key, value in stack.layout.load().items() if key in _KEPT})


class _Ending:
    """Set by SIGTERM and SIGINT."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def _ask(self, *_: object) -> None:
        self.asked = True


def _start(stack: Stack) -> None:
    stack.start_servers()
    asyncio.run(provision(stack))
    for name in WORKERS:
        stack.start_worker(name)
    stack.start_api()
    stack.remember_processes()


async def _watch(stack: Stack, ending: _Ending) -> None:
    """Starts a worker, the API or the receiver again when it ends; a server that ends takes the stack down."""
    while not ending.asked:
        for name, child in list(stack.processes().items()):
            if child.running:
                continue
            if name in ("kafka", "postgres"):
                raise RuntimeError(f"{name} ended with status {child.process.returncode}; see {child.log}")
            await asyncio.sleep(RESTART_AFTER_S)
            _restart(stack, name)
            stack.remember_processes()
        await asyncio.sleep(CHECK_EVERY_S)


def _restart(stack: Stack, name: str) -> None:
    if name == "sink":
        stack.start_sink()
    elif name == "api":
        stack.start_api()
    else:
        stack.start_worker(name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
