"""The receiver goes down and comes back: the breaker, its pauses, single probes, and the order of the drain."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from ops.devstack.layout import free_port
from schemas.alerts import Alert
from schemas.rules import AlertSeverity
from streams.adapters.pause_board import read_pauses
from tests.integration.conftest import System
from tests.integration.forwarding import Post, Receiver, alerts_of, listening, raise_alerts
from tests.integration.pipeline import ask, configure, gauge, until

SEVERITIES = ("info", "critical", "minor", "major", "warning")
THRESHOLD = 30
KEYS = {
    "circuit_breaker_threshold": THRESHOLD, "circuit_breaker_timeout": 2, "moog_max_in_flight": 1,
    "moog_rate_limit": 100, "moog_retry_base_delay": 0.2, "moog_retry_max_delay": 1,
}  # fmt: skip
PAUSED = 'mutt_partitions_paused{reason="breaker"}'


def changes(before: str, after: str) -> str:
    return f'mutt_circuit_breaker_state_changes_total{{from_state="{before}",name="moogsoft",to_state="{after}"}}'


@pytest.mark.proves("receiver.full", "receiver.restart")
async def test_an_open_breaker_pauses_probes_singly_and_drains_the_most_severe_first(system: System) -> None:
    for key, value in KEYS.items():
        await configure(system.database.pool, key, str(value))
    alerts = [
        one
        for number, severity in enumerate(SEVERITIES)
        for one in alerts_of(20, hosts=24, severity=AlertSeverity(severity), first=number * 20)
    ]
    port = free_port()
    async with listening() as receiver:
        receiver.status = lambda _: 503
        system.start("forward-1", forward_port=port, webhook_url=receiver.url)
        await raise_alerts(system, alerts)
        await until(lambda: _reads(port, PAUSED, 8), "the partitions are paused")
        await until(lambda: _ready(port, "degraded: paused (breaker)"), "it says so, and is ready")
        await until(lambda: _reads(port, changes("open", "half_open"), 3), "three probes went out")
        await until(lambda: _shown(system, {"breaker"}), "an operator sees it")
        down = list(receiver.posts)
        receiver.status = lambda _: 200
        await until(lambda: _delivered(system, len(alerts)), "everything is delivered")
        await until(lambda: _reads(port, PAUSED, 0), "the partitions are resumed")
        assert await _ready(port, "ready")
        probes = [post.at for post in down[THRESHOLD - 1 :]]
        assert all(later - earlier > 1.9 for earlier, later in itertools.pairwise(probes)), probes
        assert 3 <= len(probes) <= 4
        assert await _reads(port, changes("closed", "open"), 1)
        assert await _reads(port, changes("half_open", "closed"), 1)
        assert_severest_first(alerts, receiver.posts[len(down) :])
        await assert_books(system, receiver)


def assert_severest_first(alerts: list[Alert], posts: list[Post]) -> None:
    """Whenever one went out, no host's first alert was more severe; within a host they came in order."""
    waiting: dict[str, list[Alert]] = {}
    for one in alerts:
        waiting.setdefault(one.hostname, []).append(one)
    assert len(posts) == len(alerts)
    for post in posts:
        heads = {str(queue[0].id): queue[0] for queue in waiting.values() if queue}
        assert heads[post.identity].severity.number == max(one.severity.number for one in heads.values())
        waiting[heads[post.identity].hostname].pop(0)


async def assert_books(system: System, receiver: Receiver) -> None:
    """Attempts in the table and the service level counters are the posts that the receiver saw."""
    row = await system.database.pool.fetchrow(
        "SELECT sum(attempts) AS attempts, count(*) FILTER (WHERE state = 'delivered') AS good,"
        " (SELECT sum(total) FROM sli WHERE component = 'forwarder') AS total,"
        " (SELECT sum(good) FROM sli WHERE component = 'forwarder') AS counted FROM alerts"
    )
    good = sum(post.status == 200 for post in receiver.posts)
    assert row is not None
    assert (row["attempts"], row["total"], row["good"], row["counted"]) == (*[len(receiver.posts)] * 2, good, good)


async def _shown(system: System, reasons: set[str]) -> bool:
    return {pause.reason for pause in (await read_pauses(system.database.pool)).pauses} == reasons


async def _reads(port: int, name: str, value: float) -> bool:
    return await asyncio.to_thread(gauge, port, name) == value


async def _ready(port: int, status: str) -> bool:
    code, answer = await asyncio.to_thread(ask, port, "/ready")
    assert code == 200, answer
    return bool(answer["status"] == status)


async def _delivered(system: System, count: int) -> bool:
    rows = await system.database.pool.fetchval("SELECT count(*) FROM alerts WHERE state = 'delivered'")
    return bool(rows == count)
