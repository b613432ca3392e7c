"""Runs the replays that were ordered over the API, also those that another process began and could not finish."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import suppress

import asyncpg
import structlog
from aiokafka.errors import KafkaError

from schemas.errors import Unavailable, words
from schemas.rows import plain_uuid
from streams.adapters.broker_access import Brokers
from streams.adapters.exact_producer import started_producer
from streams.adapters.faults import store_faults
from streams.adapters.locks import lock_key, try_lock
from streams.adapters.replay_claims import Replay, Replays
from streams.adapters.replay_jobs import REPLAY_LOCK
from streams.adapters.replays import Pace, Replayer

log = structlog.get_logger()

AT_ONCE = 2
"""Replays that one process runs; the others wait, oldest first."""
LOOK_S = 5.0
"""Between two looks for replays that nobody runs."""

_UNFINISHED = "SELECT id FROM replays WHERE actor LIKE 'api:%' AND finished_at IS NULL ORDER BY created_at LIMIT 100"
_STOPPED = "UPDATE replays SET problem = $2 WHERE id = $1"


class ReplayRunner:
    """A replay is run by one process at a time, which holds its lock. What is cut short goes on where it stopped."""

    def __init__(self, pool: asyncpg.Pool, brokers: Brokers) -> None:
        self._pool = pool
        self._replays = Replays(pool)
        self._brokers = brokers
        self._running: dict[uuid.UUID, asyncio.Task[None]] = {}
        self._wanted = asyncio.Event()

    def wake(self) -> None:
        """There is a new one."""
        self._wanted.set()

    async def run(self) -> None:
        """Looks for work until cancelled; what is in hand then stays for whoever looks next."""
        try:
            while True:
                self._wanted.clear()
                with suppress(Unavailable):
                    await self._look()
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_S):
                        await self._wanted.wait()
        finally:
            for task in self._running.values():
                task.cancel()
            if self._running:
                await asyncio.wait(self._running.values())

    async def _look(self) -> None:
        self._running = {key: task for key, task in self._running.items() if not task.done()}
        with store_faults():
            rows = await self._pool.fetch(_UNFINISHED)
        for row in rows:
            key = plain_uuid(row["id"])
            if len(self._running) < AT_ONCE and key not in self._running:
                self._running[key] = asyncio.create_task(self._run(key), name=f"replay-{key}")

    async def _run(self, key: uuid.UUID) -> None:
        try:
            with store_faults():
                async with try_lock(self._pool, lock_key(REPLAY_LOCK, key)) as ours:
                    if ours:
                        await self._perform(await self._replays.replay(key))
        except (Unavailable, KafkaError) as error:
            await self._stopped(key, words(error))
        except Exception as error:  # noqa: BLE001 - a defect of one replay is told, and holds up no other
            log.error("defect", part="replay", replay=str(key), error=repr(error))
            await self._stopped(key, f"internal error: {type(error).__name__}")

    async def _perform(self, record: Replay) -> None:
        if record.finished_at is not None:
            return
        log.info("replay", replay=str(record.id), actor=record.actor, resumed=record.selected > 0)
        left = None if record.bounds.most is None else max(0, record.bounds.most - record.sent)
        async with started_producer(self._brokers) as producer:
            replayer = Replayer(self._replays, producer, Pace(record.bounds.per_second, left))
            await replayer.perform(record, resumed=record.selected > 0, on_progress=lambda _: None)
        await self._pool.execute(_STOPPED, record.id, None)

    async def _stopped(self, key: uuid.UUID, why: str) -> None:
        """For whoever looks at the job; the next look tries again."""
        log.warning("replay stopped", replay=str(key), error=why)
        with suppress(Unavailable), store_faults():
            await self._pool.execute(_STOPPED, key, why[:1000])
