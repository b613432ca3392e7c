"""Keeps the dynamic configuration of a worker without rules current: heard at once, polled behind that."""

from __future__ import annotations

import asyncio

import asyncpg
import structlog

from schemas.config import DynamicConfig
from schemas.config_values import tolerant_snapshot
from schemas.errors import StoreUnavailable
from streams.adapters.faults import store_faults
from streams.adapters.notices import Connect, hear

log = structlog.get_logger()

RETRY_S = 1.0


class ConfigWatcher:
    """Holds the configuration in force. A bad stored value keeps its default."""

    def __init__(self, pool: asyncpg.Pool, connect: Connect) -> None:
        """`connect` opens the connection that listens."""
        self._pool = pool
        self._connect = connect
        self._changed = asyncio.Event()
        self._loaded = asyncio.Event()
        self._problems: tuple[str, ...] = ()
        self.current = DynamicConfig()

    async def first(self) -> DynamicConfig:
        """Waits until it is loaded; `run` must be running."""
        await self._loaded.wait()
        return self.current

    async def run(self) -> None:
        """Follows the database until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen(), name="config-listen")
            tasks.create_task(self._follow(), name="config-follow")

    async def refresh(self) -> None:
        """Loads now. Raises StoreUnavailable."""
        with store_faults():
            rows = await self._pool.fetch("SELECT key, value FROM dynamic_config")
        self.current, problems = tolerant_snapshot({row["key"]: row["value"] for row in rows})
        if problems and problems != self._problems:
            log.warning("stored configuration is refused, defaults stand", problems=problems)
        self._problems = problems
        self._loaded.set()

    async def _follow(self) -> None:
        while True:
            self._changed.clear()
            wait = float(self.current.cache_reload_interval)
            try:
                await self.refresh()
            except StoreUnavailable as error:
                log.warning("waiting", service="postgresql", error=str(error))
                wait = RETRY_S
            try:
                async with asyncio.timeout(wait):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def _listen(self) -> None:
        while True:
            try:
                with store_faults():
                    await hear(await self._connect(), self._changed)
            except StoreUnavailable as error:
                log.warning("not listening for changes of configuration", error=str(error))
            await asyncio.sleep(RETRY_S)
