"""A worker as it is run in production, in which something breaks, at once or soon after it was given its partitions.

Run as `python -m tests.integration.broken_worker ROLE FAULT`, with settings from MUTT_* variables.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from schemas.settings import Settings
from streams.adapters.secrets import FileSecrets
from streams.app import WorkerApp, run_worker
from streams.dead_letters_role import DeadLettersRole
from streams.forward_role import ForwardRole
from streams.logs import configure
from streams.match_role import MatchRole

FOR_LONG_S = 600.0
SOON_S = 2.0
"""The watchdog, which looks once a second, has seen the worker alive by then."""

ROLES: dict[str, Any] = {"match": MatchRole, "forward": ForwardRole, "dead-letters": DeadLettersRole}


def block_the_loop(_: WorkerApp) -> None:
    time.sleep(FOR_LONG_S)


def freeze_the_thread(app: WorkerApp) -> None:
    app.batch_consumer.thread_loop.call_soon_threadsafe(time.sleep, FOR_LONG_S)


def hang_polls(app: WorkerApp) -> None:
    """The thread turns, the answer of a poll never comes."""

    async def getmany(*_: Any, **__: Any) -> None:
        await asyncio.sleep(FOR_LONG_S)

    app.batch_consumer._thread.getmany = getmany


def leave_for_good(app: WorkerApp) -> None:
    """aiokafka leaves the group when it finds the consumer idle, and will not join again while it is."""
    app.batch_consumer._thread._consumer._coordinator._max_poll_interval = -1


def lose_membership(app: WorkerApp) -> None:
    """What keeps the member in its group is dead: the group goes on without it, while it reads on."""
    thread = app.batch_consumer._thread

    async def lose() -> None:
        coordinator = thread._consumer._coordinator
        coordinator._coordination_task.cancel()
        await coordinator._stop_heartbeat_task()
        await coordinator._maybe_leave_group()

    asyncio.get_running_loop().create_task(thread.call_thread(lose))


def stop_fetching(app: WorkerApp) -> None:
    thread = app.batch_consumer._thread
    thread.thread_loop.call_soon_threadsafe(thread._consumer._fetcher._fetch_task.cancel)


def poll_once_more(app: WorkerApp) -> None:
    """A poll ends after positions were set and before records flow: nobody gets what it took."""
    thread = app.batch_consumer._thread
    seek_to_committed = thread.seek_to_committed

    async def seek_and_poll() -> Any:
        committed = await seek_to_committed()
        await thread.call_thread(thread._consumer.getmany, timeout_ms=30_000, max_records=5)
        return committed

    thread.seek_to_committed = seek_and_poll


FAULTS: dict[str, Callable[[WorkerApp], None]] = {
    fault.__name__: fault
    for fault in (
        block_the_loop, freeze_the_thread, hang_polls, leave_for_good, lose_membership, poll_once_more, stop_fetching,
    )
}  # fmt: skip
AT_ONCE = (poll_once_more,)


def broken(kind: Any, fault: Callable[[WorkerApp], None]) -> Any:
    class Broken(kind):  # type: ignore[misc]
        async def open(self, app: WorkerApp) -> None:
            self._broken = app
            if fault in AT_ONCE:
                fault(app)
            await super().open(app)

        def assigned(self, partitions: list[tuple[str, int]]) -> None:
            super().assigned(partitions)
            if fault not in AT_ONCE:
                asyncio.get_running_loop().call_later(SOON_S, fault, self._broken)

    return Broken


def main(role: str, fault: str) -> None:
    settings = Settings.from_env(os.environ)
    configure(settings.log_level, role)
    run_worker(settings, broken(ROLES[role], FAULTS[fault])(settings, FileSecrets(settings.secrets_dir)))


if __name__ == "__main__":
    main(*sys.argv[1:])
