"""Keeps a worker's rules current: loads and compiles them again within a second of every change."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable

from schemas.config import DynamicConfig
from schemas.errors import RuleRefused, StoreUnavailable
from streams import crash
from streams.adapters.faults import store_faults
from streams.adapters.notices import Connect, hear
from streams.core.matching import Knowledge
from streams.core.ports import RuleSource

FIRST_RETRY_S, LONGEST_RETRY_S = 0.2, 5.0
REST_S = 60.0
"""Edits are in force at once; so long after them, at most, all patterns are compiled together again."""

log = logging.getLogger(__name__)


class RuleWatcher:
    """Holds the current `Knowledge`; whoever decides reads `current` once a batch.

    The database's notification wakes it, a poll every `cache_reload_interval` stands behind that. A database that is
    away is retried for ever; when a set cannot be loaded or compiled the last good one stays, the reason is logged and
    kept in `last_error` until a set succeeds.
    """

    def __init__(
        self,
        source: RuleSource,
        connect: Connect,
        *,
        on_change: Callable[[Knowledge], None] | None = None,
        jitter: Callable[[], float] = random.random,
        rest_s: float = REST_S,
    ) -> None:
        """`connect` opens the connection that listens; `on_change` is called in the event loop after each swap."""
        self._source = source
        self._connect = connect
        self._on_change = on_change
        self._jitter = jitter
        self._rest_s = rest_s
        self._changed = asyncio.Event()
        self._loaded = asyncio.Event()
        self._refused_version: int | None = None
        self.current: Knowledge | None = None
        self.last_error: str | None = None

    async def first(self) -> Knowledge:
        """Waits until the first set is loaded; `run` must be running."""
        await self._loaded.wait()
        assert self.current is not None
        return self.current

    async def run(self) -> None:
        """Follows the database until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen(), name="rules-listen")
            tasks.create_task(self._follow(), name="rules-follow")
            tasks.create_task(self._compact(), name="rules-compact")

    async def refresh(self) -> bool:
        """Loads and compiles now if the version moved; says whether a new set is in force.

        Raises StoreUnavailable, or RuleRefused when the stored set cannot be compiled.
        """
        version = await self._source.version()
        if version == self._refused_version or (self.current and version == self.current.rule_set.version):
            return False
        try:
            rule_set = await self._source.load()
            version = rule_set.version
            knowledge = await asyncio.to_thread(self.current.follow if self.current else Knowledge.of, rule_set)
        except RuleRefused:
            self._refused_version = version  # compiling it again would fail again, and cost as much
            raise
        self._refused_version = None
        crash.here("rules_compiled")
        self.current = knowledge
        self._loaded.set()
        crash.here("rules_swapped")
        if self._on_change:
            self._on_change(knowledge)
        return True

    async def _follow(self) -> None:
        delay = FIRST_RETRY_S
        while True:
            self._changed.clear()
            wait = float(self._config.cache_reload_interval)
            try:
                await self.refresh()
                delay = FIRST_RETRY_S
                if self._refused_version is None:
                    self.last_error = None
            except StoreUnavailable as error:
                self._failed("rules cannot be loaded", error)
                wait, delay = self._spread(delay), min(2 * delay, LONGEST_RETRY_S)
            except RuleRefused as error:
                self._failed("the stored rules cannot be used, the last good set stays", error)
            await self._woken_within(wait)

    async def _compact(self) -> None:
        """After edits, compiles all patterns at once: a message is scanned once again, and for nothing that is gone."""
        tried: int | None = None
        while True:
            await asyncio.sleep(self._rest_s)
            current = self.current
            if current is None or current.matcher.compact or current.rule_set.version == tried:
                continue
            tried = current.rule_set.version
            try:
                whole = await asyncio.to_thread(Knowledge.of, current.rule_set)
                while (newest := self.current) and newest.rule_set is not whole.rule_set:
                    whole = await asyncio.to_thread(whole.follow, newest.rule_set)
            except RuleRefused as error:
                log.warning("the rules stay in two parts, they cannot be compiled together: %s", error)
            else:
                self.current = whole

    async def _woken_within(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return

    async def _listen(self) -> None:
        delay = FIRST_RETRY_S
        while True:
            try:
                with store_faults():
                    connection = await self._connect()
                    delay = FIRST_RETRY_S
                    await hear(connection, self._changed)
            except StoreUnavailable as error:
                self._failed("not listening for changes of rules", error)
            await asyncio.sleep(self._spread(delay))
            delay = min(2 * delay, LONGEST_RETRY_S)

    @property
    def _config(self) -> DynamicConfig:
        return self.current.rule_set.config if self.current else DynamicConfig(cache_reload_interval=1)

    def _failed(self, what: str, error: Exception) -> None:
        message = f"{what}: {error}"
        if message != self.last_error:
            log.warning("%s", message)
        self.last_error = message

    def _spread(self, delay: float) -> float:
        return delay * (0.5 + self._jitter())
