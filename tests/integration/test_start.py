"""Workers whose servers are away when they start: they wait (I7), and stop at once when told to."""

from __future__ import annotations

import asyncio
import json

from ops.devstack.processes import Child
from ops.devstack.stack import Stack
from tests.integration.pipeline import until

ROLES = ("match", "forward", "dead-letters")
NOWHERE = {"database_url": "postgresql://mutt@127.0.0.1:1/mutt", "kafka_bootstrap": "127.0.0.1:1"}


async def test_a_worker_without_servers_waits_and_stops_when_told_to(stack: Stack) -> None:
    workers = [stack.start_worker(f"{role}-9", **NOWHERE) for role in ROLES]
    await until(lambda: _all_wait(workers), "everybody says what it waits for")
    assert await asyncio.gather(*(asyncio.to_thread(worker.stop) for worker in workers)) == [0, 0, 0]
    for worker in workers:
        assert [line for line in _lines(worker) if "exception" in line or line["level"] == "critical"] == []


async def _all_wait(workers: list[Child]) -> bool:
    assert all(worker.running for worker in workers), [worker.tail() for worker in workers]
    return all(any("Connect" in str(line) for line in _lines(worker)) for worker in workers)


def _lines(worker: Child) -> list[dict[str, object]]:
    return [json.loads(line) for line in worker.log.read_text().splitlines()]
