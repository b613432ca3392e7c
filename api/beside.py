"""What the API does beside its requests: tasks that run while it serves, and what they write in the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial

import structlog

from schemas.errors import Unavailable

log = structlog.get_logger()

END_S = 8.0
"""What cancelled tasks get to end."""
LAST_WRITE_S = 2.0
"""What a process that ends gives the last write."""

Task = Callable[[], Awaitable[None]]


@asynccontextmanager
async def beside(part: str, *tasks: Task, last: Task | None = None) -> AsyncIterator[None]:
    """Runs the tasks beside what is inside, then `last`, once. A defect is told; requests are answered without it."""
    running = [asyncio.ensure_future(task()) for task in tasks]
    for one in running:
        one.add_done_callback(partial(_tell, part))
    try:
        yield
    finally:
        for one in running:
            one.cancel()
        await asyncio.wait(running, timeout=END_S)
        if last is not None:
            with suppress(Unavailable, TimeoutError):
                async with asyncio.timeout(LAST_WRITE_S):
                    await last()


def _tell(part: str, task: asyncio.Future[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log.error("defect", part=part, error=repr(error))
