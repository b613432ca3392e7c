"""Remediation on real servers: what was shed or refused is sent again by itself, by one worker, and not for ever."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import Awaitable, Callable
from typing import Any

import pytest_asyncio

from ops.devstack.layout import free_port
from schemas.dead_letters import DeadLetter, Reason
from streams.adapters.dead_letters import DeadLetters
from streams.adapters.letter_desk import LetterDesk
from streams.adapters.replay_claims import Replays
from streams.core.replay import LetterFilter
from tests.builders import dead_letter, event_json
from tests.chaos.checker import anomalies
from tests.contracts.deliveries import NOW
from tests.integration.commands import mutt
from tests.integration.conftest import System
from tests.integration.forwarding import alerts_of, listening, raise_alerts
from tests.integration.pipeline import add_rule, configure, gauge, settled, until
from tests.integration.topics import produce, read_all

STATE = "mutt_remediation_state"
BACKING_OFF, STOPPED = 3, 4
EVENTS = 320
ROUNDS = 'mutt_remediation_rounds_total{{outcome="{}"}}'


@pytest_asyncio.fixture
async def pool(system: System) -> Any:
    """The system's database, with a remediation that acts every second and backs off by as much."""
    pool = system.database.pool
    for key, value in {"remediation_interval": "1", "remediation_backoff_base": "1"}.items():
        await configure(pool, key, value)
    return pool


def sql(pool: Any, query: str) -> Callable[[], Awaitable[object]]:
    return lambda: pool.fetchval(query)


def shows(port: int, name: str, least: float) -> Callable[[], Awaitable[object]]:
    async def it_does() -> bool:
        return await asyncio.to_thread(gauge, port, name) >= least

    return it_does


async def thresholds(pool: Any, warn: int, shed: int) -> None:
    for key, value in {"shed": shed, "warn": warn}.items():
        await configure(pool, f"alerter_queue_{key}_threshold", str(value))


async def add_letters(pool: Any, count: int) -> list[DeadLetter]:
    letters = [dead_letter(offset=n, partition=4, value=event_json(message=f"m {n}")) for n in range(count)]
    await DeadLetters(pool).insert_absent(letters, NOW)
    return letters


async def test_what_was_shed_is_replayed_by_itself_once_the_backlog_is_gone(system: System, pool: Any) -> None:
    port = free_port()
    await add_rule(pool, "link down")
    await thresholds(pool, warn=100, shed=200)
    value = event_json(message="link down", syslog_severity=6)
    await asyncio.to_thread(produce, system.stack.kafka.bootstrap, "mutt.ingest.syslog", [(b"h1", value)] * EVENTS)
    async with listening() as receiver:
        workers = [
            system.start("match-1", batch_records=50, max_poll_records=50),
            system.start("dead-letters-1", dead_letters_port=port, webhook_url=receiver.url),
        ]
        await settled(pool, system.stack.kafka.bootstrap)
        shed = await pool.fetchval("SELECT count(*) FROM dead_letters WHERE reason = 'shed'")
        assert shed > 0
        await until(shows(port, ROUNDS.format("backlog"), 1), "the backlog holds it back")
        assert await pool.fetchval("SELECT count(*) FROM replays") == 0

        await configure(pool, "moog_rate_limit", "1000")
        workers.append(system.start("forward-1", webhook_url=receiver.url))
        done = f"SELECT (SELECT count(*) FROM alerts WHERE state = 'delivered') = {EVENTS}"
        await until(sql(pool, done), "every alert is delivered")
        await until(sql(pool, "SELECT bool_and(came_back = 0) FROM replays"), "it knows that nothing came back")
        assert len({post.identity for post in receiver.posts}) == EVENTS
    replays = await Replays(pool).recent(100)
    assert {one.actor for one in replays} == {"remediation"}
    assert sum(one.sent for one in replays) == shed
    for worker in reversed(workers):
        assert await asyncio.to_thread(worker.stop) == 0, worker.tail()
    assert await anomalies(system.database.dsn, system.stack.kafka.bootstrap) == []


async def test_it_stops_itself_when_a_batch_comes_back_and_poison_is_parked(system: System, pool: Any) -> None:
    port, bootstrap = free_port(), system.stack.kafka.bootstrap
    await configure(pool, "max_poison_retries", "1")
    [by_hand] = await add_letters(pool, 1)
    await LetterDesk(pool, actor="me").park(LetterFilter(ids=(by_hand.id,)))
    async with listening() as receiver:
        receiver.status = lambda _: 422
        system.start("forward-1", webhook_url=receiver.url)
        await raise_alerts(system, alerts_of(5, hosts=5))
        await until(sql(pool, "SELECT count(*) = 5 FROM dead_letters WHERE reason = 'delivery'"), "all are refused")
        worker = system.start("dead-letters-1", dead_letters_port=port, webhook_url=receiver.url)

        await until(shows(port, STATE, STOPPED), "it stops itself")
        await until(shows(port, ROUNDS.format("stopped"), 2), "it stays stopped")
        [replay] = await Replays(pool).recent(10)
        assert (replay.actor, replay.sent) == ("remediation", 5)
        await until(sql(pool, "SELECT came_back = 5 FROM replays"), "what came back is recorded")
        assert "remediation stopped itself" in worker.tail(10_000)
        assert await asyncio.to_thread(ready, port) == "degraded: remediation of delivery stopped"
        assert "5 came back" in (await asyncio.to_thread(mutt, system.database, system.stack, "dlq", "replays")).stdout

        for value in ("false", "true"):
            await configure(pool, "remediation_enabled", value)
        waiting = "SELECT count(*) = 6 FROM dead_letters WHERE state = 'parked' AND parked_published_at IS NOT NULL"
        await until(sql(pool, waiting), "what came back too often is parked and published")
    assert await asyncio.to_thread(ready, port) == "ready"
    rows = await pool.fetch("SELECT id FROM dead_letters WHERE state = 'parked'")
    parked, published = [by_letter(await asyncio.to_thread(read_all, bootstrap, topic)) for topic in TOPICS]
    assert set(parked) == {str(row["id"]) for row in rows}
    del parked[str(by_hand.id)]  # which no worker ever put on mutt.dlq
    assert parked == {letter: published[letter] for letter in parked}


TOPICS = ("mutt.dlq.parked", "mutt.dlq")


def by_letter(records: list[Any]) -> dict[str, Any]:
    """Key, value and headers by letter; how often it was replayed is as it was when it was written."""
    found: dict[str, Any] = {}
    for record in records:
        headers = [header for header in record.headers() if header[0] != "mutt.dlq.replays"]
        letter = next(value for name, value in reversed(headers) if name == "mutt.dlq.id").decode()
        assert letter not in found
        found[letter] = (record.key(), record.value(), headers)
    return found


def ready(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=5) as answer:
        return str(json.loads(answer.read())["status"])


async def test_one_worker_acts_only_while_there_is_a_receiver_and_another_takes_over(system: System, pool: Any) -> None:
    letters = await add_letters(pool, 3)
    ports, receiver_port = [free_port(), free_port()], free_port()
    url = f"http://127.0.0.1:{receiver_port}/alerts"
    first = system.start("dead-letters-1", dead_letters_port=ports[0], webhook_url=url)
    await until(shows(ports[0], ROUNDS.format("receiver"), 2), "it asks a receiver that is not there")
    assert await asyncio.to_thread(gauge, ports[0], STATE) == BACKING_OFF
    system.start("dead-letters-2", dead_letters_port=ports[1], webhook_url=url)
    await until(shows(ports[1], "mutt_partitions_assigned", 1), "the second is at work")
    assert await asyncio.to_thread(gauge, ports[1], STATE) == 0
    assert await pool.fetchval("SELECT count(*) FROM replays") == 0

    async with listening(receiver_port) as receiver:
        first.process.kill()
        await until(sql(pool, "SELECT sent = 3 FROM replays"), "the other takes over")
        assert receiver.posts == []
    assert await pool.fetchval("SELECT count(*) FROM dead_letters WHERE state = 'replaying'") == len(letters)
    assert {letter.reason for letter in letters} == {Reason.SHED}
