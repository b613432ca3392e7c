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
from typing import Any

from ops.devstack.processes import SERVERS, StackFailed, end_left_behind, started_at
from ops.devstack.provision import provision
from ops.devstack.stack import WORKERS, Stack

CHECK_EVERY_S = 0.5
RESTART_AFTER_S = 1.0


def main(home: Path) -> None:
    stack = Stack(home, openbao=True)
    ending = _Ending()
    with stack.layout.lock():
        end_left_behind(stack.layout.load().get("processes", {}))
        stack.layout.save(_kept(stack) | {"supervisor": (os.getpid(), started_at(os.getpid())), "ready": False})
        try:
            _start(stack)
            stack.layout.save(stack.layout.load() | {"ready": True})
            asyncio.run(_watch(stack, ending))
        except Exception as error:
            stack.layout.save(stack.layout.load() | {"failed": str(error)})
            raise
        finally:
            stack.stop_all()
            stack.layout.save(_kept(stack, "failed"))


def _kept(stack: Stack, *more: str) -> dict[str, Any]:
    """What stays in the state file when the stack is down."""
    return {key: value for key, value in stack.layout.load().items() if key in ("ports", "outside", *more)}


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
    stack.remember()
    stack.start_api()
    stack.remember()


async def _watch(stack: Stack, ending: _Ending) -> None:
    """Starts a worker, the API or the receiver again when it ends; a server that ends takes the stack down."""
    while not ending.asked:
        ended = {name: child for name, child in stack.processes().items() if not child.running}
        for name, child in ended.items():
            if name in SERVERS:
                raise StackFailed(f"{name} ended with status {child.process.returncode}; see {child.log}")
        if ended:
            await asyncio.sleep(RESTART_AFTER_S)
            for name in ended:
                stack.start_again(name)
            stack.remember()
        await asyncio.sleep(CHECK_EVERY_S)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
