"""Reads the figures of the running demonstration: from the tables, the broker and the workers' metrics."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from aiohttp import ClientSession
from aiokafka import AIOKafkaConsumer, TopicPartition

from ops.demo.board import Board, Figures, Held, Replayed
from ops.demo.books import SHED_BY_SEVERITY
from ops.demo.gauges import Gauges
from ops.demo.workers import Workers
from ops.devstack.stack import Stack
from schemas.config_values import tolerant_snapshot
from schemas.topics import INGEST
from streams.adapters.broker_access import connection

EVERY_S = 0.4

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
     + (SELECT count(*) FROM dead_letters WHERE published_at IS NULL) AS unpublished,
       (SELECT coalesce(json_object_agg(key, value), '{}') FROM dynamic_config)::text AS config
"""

# Workers tell their pauses every 5 s; the name is host:pid.
_PAUSES = """
SELECT reason, split_part(worker, ':', -1)::integer AS pid, count(*) AS partitions,
       extract(epoch FROM now() - min(since))::float AS seconds
  FROM partition_pauses WHERE seen_at > now() - interval '15 s' GROUP BY reason, worker ORDER BY reason, worker
"""

_REPLAYS = """
SELECT actor = 'remediation' AS by_itself, count(*) AS rounds, sum(sent)::bigint AS sent,
       coalesce(sum(came_back), 0)::bigint AS came_back, count(*) FILTER (WHERE came_back IS NULL) AS unsettled
  FROM replays GROUP BY 1
"""


@asynccontextmanager
async def log_reader(stack: Stack) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer outside of any group, to ask how long the logs are."""
    consumer = AIOKafkaConsumer(**connection(stack.brokers), client_id="mutt-demo")
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


async def read_figures(connection: asyncpg.Connection, consumer: AIOKafkaConsumer, names: Mapping[int, str]) -> Figures:
    """The figures now, without metrics; `names` are the workers that run, by pid: a dead one pauses nothing.

    The log's end is read first, so that the lag is never understated as negative.
    """
    end = sum((await log_ends(consumer)).values())
    row = await connection.fetchrow(_FIGURES)
    assert row is not None
    pauses = [pause for pause in await connection.fetch(_PAUSES) if pause["pid"] in names]
    replays = {
        replay["by_itself"]: Replayed(*(replay[name] for name in ("rounds", "sent", "came_back", "unsettled")))
        for replay in await connection.fetch(_REPLAYS)
    }
    return Figures(
        dispositions={name: count or 0 for name, count in json.loads(row["fates"]).items()},
        alerts=json.loads(row["alerts"]),
        letters=json.loads(row["letters"]),
        replaying=row["replaying"],
        decided=row["decided"],
        log_end=end,
        unpublished=row["unpublished"],
        config=tolerant_snapshot(json.loads(row["config"]))[0],
        held=[Held(row["reason"], names[row["pid"]], row["partitions"], row["seconds"]) for row in pauses],
        shed={row["severity"]: row["events"] for row in await connection.fetch(SHED_BY_SEVERITY)},
        by_itself=replays.get(True, Replayed()),
        by_hand=replays.get(False, Replayed()),
    )


class Watcher:
    """Keeps the board up to date and the workers running, until it is cancelled."""

    def __init__(self, stack: Stack, board: Board, workers: Workers) -> None:
        self._stack = stack
        self._board = board
        self._workers = workers

    async def run(self) -> None:
        """Raises StackFailed when workers keep ending."""
        connection = await self._stack.connect()
        gauges = Gauges(self._stack)
        try:
            async with log_reader(self._stack) as consumer, ClientSession() as session:
                while True:
                    names = self._workers.names
                    figures = await read_figures(connection, consumer, names)
                    figures.told = await gauges.ask(session, self._workers.ports)
                    self._board.update(figures)
                    self._workers.look_after()
                    await asyncio.sleep(EVERY_S)
        finally:
            connection.terminate()


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
