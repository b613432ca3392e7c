"""The dead-letters worker: reads mutt.dlq and keeps the table complete, remediates, and shows the fleet's accounts."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import asyncpg

from schemas.errors import Unavailable
from schemas.settings import Settings
from schemas.topics import DLQ, Topic
from streams import metrics
from streams.accounts import show_forever
from streams.adapters.accounts import Accounts
from streams.adapters.database import create_pool
from streams.adapters.dead_letters import DeadLetters
from streams.adapters.listening import front_of
from streams.adapters.secrets import SecretSource
from streams.agents.index_dead_letters import LetterIndex, index_dead_letters
from streams.app import WorkerApp, end_process
from streams.clock import SystemClock
from streams.core.watchdog import Chore, work_of
from streams.health import HealthServer
from streams.remediation import Remediation
from streams.retries import wait_after
from streams.tasks import Tasks

T = TypeVar("T")


class DeadLettersRole:
    """Implements Role: reads mutt.dlq. Raises SettingsRefused when the receiver's address is not well formed."""

    name = "dead-letters"
    topics: tuple[Topic, ...] = (DLQ,)

    def __init__(self, settings: Settings, secrets: SecretSource) -> None:
        self._settings = settings
        self._secrets = secrets
        self._health = HealthServer(
            "dead-letters",
            metrics.REGISTRY,
            lambda: self._problems,
            stopped=self._stopped,
            front=front_of(settings),
        )
        self._remediation = Remediation(settings, secrets)
        self._tasks = Tasks(end_process)
        self._problems: dict[str, str] = {}
        self._indexing = Chore("indexing letters")
        self._pool: asyncpg.Pool
        self._index: LetterIndex
        self._accounts: Accounts

    async def open(self, app: WorkerApp) -> None:
        await self._health.start(self._settings.host, self._settings.dead_letters_port)
        self._pool = await create_pool(self._settings, self._secrets, size=3)
        self._index = LetterIndex(DeadLetters(self._pool), SystemClock(), self._retry)
        self._accounts = Accounts(self._pool, app.brokers)
        self._tasks.spawn(show_forever(self._accounts), "accounts")
        await self._remediation.open(self._tasks, app.brokers)

    async def work(self, stream: Any) -> None:
        await index_dead_letters(stream, self._index)

    def assigned(self, partitions: list[tuple[str, int]]) -> None:
        metrics.PARTITIONS_ASSIGNED.set(len(partitions))

    def revoked(self) -> None:
        metrics.PARTITIONS_ASSIGNED.set(0)

    @property
    def work_in_hand(self) -> Mapping[str, int]:
        return work_of(self._indexing)

    @property
    def paused(self) -> frozenset[tuple[str, int]]:
        return frozenset()

    async def drain(self, deadline_s: float) -> bool:
        """The agent holds one batch at a time; what it has not acknowledged comes again and changes nothing."""
        return True

    async def close(self) -> None:
        await self._tasks.close()
        await self._remediation.close()
        await self._accounts.close()
        self._pool.terminate()
        await self._health.close()

    def _stopped(self) -> list[str]:
        return self._remediation.stopped

    async def _retry(self, action: Callable[[], Awaitable[T]]) -> T:
        """Calls until it answers: PostgreSQL away means wait, for ever if need be (I7)."""
        attempt = 0
        while True:
            try:
                with self._indexing:
                    answer = await action()
                self._problems = {}
                return answer
            except Unavailable as fault:
                self._problems = {"postgresql": str(fault)}
                await asyncio.sleep(wait_after(fault, attempt, random.random()))  # noqa: S311 - jitter, no secret
                attempt += 1
