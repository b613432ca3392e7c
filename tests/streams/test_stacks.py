"""Stacks name the place where a thread is blocked, and what a task waits in, down to the innermost coroutine."""

from __future__ import annotations

import asyncio
import threading

from streams.stacks import task_stacks, thread_stacks


def _blocks(begun: threading.Event, over: threading.Event) -> None:
    begun.set()
    over.wait(30)


def test_a_blocked_thread_shows_the_frame_that_blocks() -> None:
    begun, over = threading.Event(), threading.Event()
    thread = threading.Thread(target=_blocks, args=(begun, over), name="blocked one")
    thread.start()
    assert begun.wait(10)
    try:
        stacks = {each["thread"]: each["stack"] for each in thread_stacks()}
    finally:
        over.set()
        thread.join()
    assert any("in _blocks: over.wait(30)" in line for line in stacks["blocked one"])
    assert threading.current_thread().name not in stacks


async def _innermost(over: asyncio.Event) -> None:
    await over.wait()


async def _outer(over: asyncio.Event) -> None:
    await _innermost(over)


async def test_a_waiting_task_shows_what_it_waits_in() -> None:
    over = asyncio.Event()
    task = asyncio.create_task(_outer(over), name="waits")
    await asyncio.sleep(0)
    stacks = {each["task"]: each["stack"] for each in task_stacks([asyncio.get_running_loop()])}
    over.set()
    await task
    places = [line.rpartition(" in ")[2] for line in stacks["waits"]]
    assert places[:3] == ["_outer", "_innermost", "Event.wait"]
