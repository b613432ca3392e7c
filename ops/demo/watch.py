"""Reads the figures of the running demonstration from the tables and the broker, and keeps workers alive."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from ops.demo.board import Board, Figures
from ops.devstack.processes import Child, StackFailed
from ops.devstack.stack import Stack
from schemas.topics import INGEST
from streams.adapters.secrets import DB_PASSWORD

EVERY_S = 0.4
RESTART_LIMIT = 10

Partition = tuple[str, int]

_FIGURES = """
SELECT (SELECT json_build_object('alerted', sum(alerted), 'logged', sum(logged), 'ignored', sum(ignored),
                                 'unhandled', sum(unhandled), 'shed', sum(shed), 'rejected', sum(rejected))
          FROM ledger)::text AS fates,
       (SELECT coalesce(sum(next_offset), 0) FROM partition_progress)::bigint AS decided,
       (SELECT coalesce(json_object_agg(state, n), '{}')
          FROM (SELECT state, count(*) AS n FROM alerts GROUP BY state) a)::text AS alerts,
       (SELECT coalesce(json_object_agg(reason, n), '{}')
          FROM (SELECT reason, count(*) AS n FROM dead_letters WHERE state <> 'replayed' GROUP BY reason) l
       )::text AS letters,
       (SELECT count(*) FROM dead_letters WHERE state = 'replaying') AS replaying,
       (SELECT count(*) FROM alerts WHERE published_at IS NULL)
     + (SELECT count(*) FROM dead_letters WHERE published_at IS NULL) AS unpublished
"""


async def connect(stack: Stack) -> asyncpg.Connection:
    """A plain connection of our own, apart from mutt's."""
    password = (stack.layout.secrets / DB_PASSWORD).read_text()
    return await asyncpg.connect(stack.settings.database_url, password=password, timeout=10)


@asynccontextmanager
async def log_reader(stack: Stack) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer outside of any group, to ask how long the logs are."""
    consumer = AIOKafkaConsumer(bootstrap_servers=stack.kafka.bootstrap, client_id="mutt-demo")
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def log_ends(consumer: AIOKafkaConsumer) -> dict[Partition, int]:
    """The offset after the last record of every ingest partition."""
    partitions = [TopicPartition(topic.name, number) for topic in INGEST for number in range(topic.partitions)]
    ends = await consumer.end_offsets(partitions)
    return {(partition.topic, partition.partition): end for partition, end in ends.items()}


async def read_figures(connection: asyncpg.Connection, consumer: AIOKafkaConsumer) -> Figures:
    """The figures now; the log's end is read first, so that the lag is never understated as negative."""
    end = sum((await log_ends(consumer)).values())
    row = await connection.fetchrow(_FIGURES)
    assert row is not None
    return Figures(
        dispositions={name: count or 0 for name, count in json.loads(row["fates"]).items()},
        alerts=json.loads(row["alerts"]),
        letters=json.loads(row["letters"]),
        replaying=row["replaying"],
        decided=row["decided"],
        log_end=end,
        unpublished=row["unpublished"],
    )


class Watcher:
    """Keeps the board up to date until it is cancelled; starts workers again that end by themselves."""

    def __init__(self, stack: Stack, board: Board) -> None:
        self._stack = stack
        self._board = board
        self.expected_dead: set[str] = set()
        """Workers that the script killed."""

    async def run(self) -> None:
        """Raises StackFailed when workers keep ending."""
        connection = await connect(self._stack)
        try:
            async with log_reader(self._stack) as consumer:
                while True:
                    self._board.update(await read_figures(connection, consumer))
                    self._look_at_workers()
                    await asyncio.sleep(EVERY_S)
        finally:
            connection.terminate()

    def _look_at_workers(self) -> None:
        stack, board = self._stack, self._board
        board.processes = {name: self._state(name, child) for name, child in stack.processes().items()}
        ended = [
            child for name, child in stack.children.items()
            if not child.running and name not in self.expected_dead and name not in ("api", "sink")
        ]  # fmt: skip
        for child in ended:
            board.restarts += 1
            if board.restarts > RESTART_LIMIT:
                raise StackFailed(f"workers keep ending; {child.name} last:\n{child.tail()}")
            board.say(f"{child.name} ended by itself ({child.process.returncode}); starting it again")
            stack.start_worker(child.name)
            stack.remember()

    def _state(self, name: str, child: Child) -> str:
        return "up" if child.running else "killed" if name in self.expected_dead else "DOWN"


async def until(board: Board, condition: Any, what: str, deadline_s: float) -> bool:
    """Waits for a condition over figures that were read after this call; False when the deadline passes first."""
    seen = board.figures
    loop = asyncio.get_running_loop()
    end = loop.time() + deadline_s
    while board.figures is seen or not condition(board.figures):
        if loop.time() > end:
            board.say(f"gave up waiting for {what} after {deadline_s:.0f} s")
            return False
        await asyncio.sleep(0.1)
    return True
