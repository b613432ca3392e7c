"""Where every thread and every asyncio task stands: places in code, no values."""

from __future__ import annotations

import asyncio
import sys
import threading
import traceback
from collections.abc import Iterable, Iterator
from types import CodeType, FrameType
from typing import Any

MOST_TASKS = 200

Stack = dict[str, str | list[str]]
"""A name and its lines, the innermost last."""


def thread_stacks() -> list[Stack]:
    """Every thread but the one that asks."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    return [
        {"thread": names.get(ident) or str(ident), "stack": _lines(frame)}
        for ident, frame in sys._current_frames().items()
        if ident != threading.get_ident()
    ]


def task_stacks(loops: Iterable[asyncio.AbstractEventLoop]) -> list[Stack]:
    """What each unfinished task of these loops waits in, from its coroutine inwards; at most 200 of them."""
    tasks = [task for loop in loops for task in asyncio.all_tasks(loop)]
    return [
        {"task": task.get_name(), "stack": [_place(*where) for where in _awaited(task.get_coro())]}
        for task in tasks[:MOST_TASKS]
    ]


def _lines(frame: FrameType) -> list[str]:
    return [
        f"{_place(place.filename, place.lineno, place.name)}: {place.line}" for place in traceback.extract_stack(frame)
    ]


def _place(file: str, line: int | None, name: str) -> str:
    return f"{file}:{line} in {name}"


def _awaited(awaitable: Any) -> Iterator[tuple[str, int | None, str]]:
    """The chain of coroutines and generators that wait for each other."""
    while awaitable is not None:
        for kind in ("cr", "gi", "ag"):
            code: CodeType | None = getattr(awaitable, f"{kind}_code", None)
            if code is not None:
                frame = getattr(awaitable, f"{kind}_frame")
                yield code.co_filename, frame.f_lineno if frame else None, code.co_qualname
                awaitable = getattr(awaitable, "gi_yieldfrom" if kind == "gi" else f"{kind}_await")
                break
        else:
            return
