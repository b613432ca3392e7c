"""What a test of the matrix stands on: workers under load while something breaks, and the books afterwards."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from ops.devstack.layout import free_port
from ops.devstack.processes import Child
from tests.chaos.checker import anomalies
from tests.chaos.proxy import Link, Proxy
from tests.integration.conftest import System
from tests.integration.load import Load, rules_for_load
from tests.integration.pipeline import gauge, settled, until

RATE = 400.0
POISON = {"json", "line"}
"""What `tests.integration.load.record` spoils on purpose; any other letter was not the record's fault (I7)."""


class Ground:
    """One system, its workers' ports, and the load that runs."""

    def __init__(self, system: System, proxy: Proxy | None = None) -> None:
        self.system = system
        self.stack = system.stack
        self.pool = system.database.pool
        self.bootstrap = system.stack.kafka.bootstrap
        self.links = {} if proxy is None else proxy.links
        self.ports: dict[str, int] = {}
        self.before = 0
        """Offsets that were processed when something broke."""

    def start(self, name: str, **settings: object) -> Child:
        self.ports[name] = free_port()
        role = name.rpartition("-")[0].replace("-", "_")
        where = {"database_url": self.system.settings.database_url, f"{role}_port": self.ports[name]}
        return self.stack.start_worker(name, **where | settings)

    def start_behind_proxy(self, name: str, **settings: object) -> Child:
        """The same with every server reached through its link."""
        where = {
            "database_url": through(self.links["postgres"], self.system.settings.database_url),
            "kafka_bootstrap": f"127.0.0.1:{self.links['kafka'].port}",
        }
        return self.start(name, **where | settings)

    @asynccontextmanager
    async def under_load(self, events: int = 2000, *, beyond: int = 200, rate: float = RATE) -> AsyncIterator[Load]:
        """Rules, and a load that has made `beyond` offsets of progress; goes on until the block is left.

        Afterwards everything is processed and the books balance.
        """
        await rules_for_load(self.pool)
        load = Load(self.bootstrap, events, rate, held=True)
        load.may_fail = True
        load.start()
        try:
            await self.progress_beyond(beyond)
            self.before = await self.processed()
            yield load
        finally:
            await asyncio.to_thread(load.join)
        await self.balanced(load)

    async def balanced(self, load: Load, *, within: float = 90.0) -> None:
        """Waits until all is processed; nothing is lost, twice, out of order, or blamed on a record that was sound."""
        await self.pool.expire_connections()
        await settled(self.pool, self.bootstrap, within=within)
        for child in self.running:
            assert await asyncio.to_thread(child.stop) == 0, child.tail()
        await self.only_poison_died()
        assert await anomalies(self.system.database.dsn, self.bootstrap, load.acked) == []

    async def only_poison_died(self) -> None:
        reasons = await self.pool.fetch("SELECT DISTINCT reason FROM dead_letters")
        assert {row["reason"] for row in reasons} <= POISON

    @property
    def running(self) -> list[Child]:
        """The workers of this test that live."""
        return [child for name, child in self.stack.children.items() if name in self.ports and child.running]

    async def processed(self) -> int:
        return int(await self.pool.fetchval("SELECT coalesce(sum(next_offset), 0)::bigint FROM partition_progress"))

    async def progress_beyond(self, offsets: int, *, within: float = 60.0) -> None:
        async def moved() -> bool:
            return await self.processed() > offsets

        await until(moved, f"{offsets} records are processed", within=within)

    async def goes_on(self, *, within: float = 60.0) -> None:
        """Waits for new progress beyond where it stands now."""
        await self.progress_beyond(await self.processed() + 100, within=within)

    async def reads(self, worker: str, name: str) -> float:
        """A gauge of a worker."""
        return await asyncio.to_thread(gauge, self.ports[worker], name)

    async def until_paused(self, worker: str, reason: str) -> None:
        name = f'mutt_partitions_paused{{reason="{reason}"}}'

        async def paused() -> bool:
            return await self.reads(worker, name) > 0

        await until(paused, f"{worker} pauses for {reason}")

    async def until_says(self, worker: Child, text: str, *, within: float = 60.0) -> None:
        async def said() -> bool:
            return text in worker.log.read_text()

        await until(said, f"{worker.name} says {text}", within=within)


def through(link: Link, url: str) -> str:
    """The same database, reached through the link, which leads to its server."""
    parts = urlsplit(url)
    assert parts.port == link.target
    return parts._replace(netloc=parts.netloc.replace(f":{parts.port}", f":{link.port}")).geturl()


@contextmanager
def frozen(*pids: int) -> Iterator[None]:
    """Processes that stand still, with their children; the kernel still takes connections for them."""
    everybody = [pid for parent in pids for pid in (parent, *children(parent))]
    for pid in everybody:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in reversed(everybody):
            with suppress(ProcessLookupError):  # it was killed meanwhile
                os.kill(pid, signal.SIGCONT)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def server(child: Child | None) -> int:
    """The pid of a server that runs."""
    assert child is not None
    assert child.running
    return child.pid


def resident(pid: int) -> int:
    """Bytes of memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def passes(seconds: float) -> None:
    """Lets time pass in which something lasts."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        await asyncio.sleep(0.1)
