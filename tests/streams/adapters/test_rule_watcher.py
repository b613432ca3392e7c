"""The rule watcher on a fake source."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NoReturn

from schemas.config import DynamicConfig
from schemas.errors import StoreUnavailable
from schemas.rules import RuleSet
from streams.adapters.rule_watcher import REST_S, RuleWatcher
from streams.core.matching import Knowledge
from tests.builders import match, rule, rule_set


class Stored:
    """A rule source whose answers the test decides."""

    def __init__(self) -> None:
        self.rule_set = rule_set(version=1, config=DynamicConfig(cache_reload_interval=1))
        self.away = 0
        self.loads = 0

    async def version(self) -> int:
        if self.away > 0:
            self.away -= 1
            raise StoreUnavailable("away")
        return self.rule_set.version

    async def load(self) -> RuleSet:
        self.loads += 1
        return self.rule_set


async def no_listening() -> NoReturn:
    raise ConnectionRefusedError("nobody listens")


@asynccontextmanager
async def running(stored: Stored, *, rest_s: float = REST_S) -> AsyncIterator[tuple[RuleWatcher, list[Knowledge]]]:
    seen: list[Knowledge] = []
    watcher = RuleWatcher(stored, no_listening, on_change=seen.append, jitter=lambda: 0.5, rest_s=rest_s)
    task = asyncio.create_task(watcher.run())
    try:
        yield watcher, seen
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until_seen(seen: list[Knowledge], count: int) -> None:
    async with asyncio.timeout(5):
        while len(seen) < count:
            await asyncio.sleep(0.01)


async def test_D40_the_first_set_is_waited_for_however_long_the_database_is_away() -> None:
    stored = Stored()
    stored.away = 2
    async with running(stored) as (watcher, seen), asyncio.timeout(5):
        assert (await watcher.first()).rule_set is stored.rule_set
        assert len(seen) == 1


async def test_the_poll_finds_a_change_that_nobody_announced() -> None:
    stored = Stored()
    async with running(stored) as (watcher, seen):
        await until_seen(seen, 1)
        stored.rule_set = rule_set(rule(), version=2, config=stored.rule_set.config)
        await until_seen(seen, 2)
        assert watcher.current is seen[1]


async def test_the_same_version_is_not_loaded_twice() -> None:
    stored = Stored()
    watcher = RuleWatcher(stored, no_listening)
    assert [await watcher.refresh() for _ in range(3)] == [True, False, False]
    assert stored.loads == 1


async def test_a_change_of_configuration_alone_compiles_nothing() -> None:
    stored = Stored()
    stored.rule_set = rule_set(rule(), version=1)
    watcher = RuleWatcher(stored, no_listening)
    await watcher.refresh()
    first = watcher.current
    stored.rule_set = rule_set(rule(), version=2, config=DynamicConfig(alerter_shed_mode="defer"))
    await watcher.refresh()
    assert first is not None
    assert watcher.current is not None
    assert watcher.current.matcher is first.matcher
    assert watcher.current.rule_set.config.alerter_shed_mode == "defer"
    stored.rule_set = rule_set(rule(match_string="other"), version=3)
    await watcher.refresh()
    assert watcher.current.matcher is not first.matcher


async def test_edits_are_compiled_together_with_the_rest_when_they_have_rested() -> None:
    stored = Stored()
    stored.rule_set = rule_set(rule(match_string="a"), version=1, config=stored.rule_set.config)
    async with running(stored, rest_s=0.2) as (watcher, seen), asyncio.timeout(10):
        await until_seen(seen, 1)
        stored.rule_set = rule_set(rule(match_string="b"), version=2, config=stored.rule_set.config)
        await until_seen(seen, 2)
        assert not seen[1].matcher.compact
        while watcher.current is seen[1]:
            await asyncio.sleep(0.01)
        assert watcher.current is not None
        assert watcher.current.matcher.compact
        assert watcher.current.rule_set is stored.rule_set
        assert match(watcher.current.matcher, "b") == stored.rule_set.rules[0]
