"""A forwarder dies with alerts in hand: each is delivered under its id, hosts in order, none in vain."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence

import pytest
import pytest_asyncio

from schemas.alerts import Alert
from tests.crashes.lives import die_at
from tests.crashes.points import POINTS
from tests.integration.conftest import System
from tests.integration.forwarding import Receiver, alerts_of, listening, raise_alerts
from tests.integration.pipeline import configure, until
from tests.integration.topics import read_all

pytestmark = pytest.mark.campaign

HOSTS, COUNT = 2, 6


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with listening() as receiver:
        yield receiver


async def raised(system: System, hosts: int = HOSTS) -> Sequence[Alert]:
    alerts = alerts_of(COUNT, hosts=hosts)
    await raise_alerts(system, alerts)
    return alerts


async def crash(system: System, receiver: Receiver, name: str, nth: int = 1) -> None:
    await die_at(system, POINTS[name], nth, webhook_url=receiver.url)


async def forward(system: System, receiver: Receiver) -> None:
    """A forwarder that nothing befalls brings every alert to its end, and stops."""
    worker = system.start("forward-1", webhook_url=receiver.url)

    async def over() -> object:
        query = "SELECT NOT EXISTS (SELECT FROM alerts WHERE state = 'pending')"
        return await system.database.pool.fetchval(query) and not await _unpublished(system)

    await until(over, "every alert is delivered or dead, its letter published")
    assert await asyncio.to_thread(worker.stop) == 0, worker.tail()


async def _unpublished(system: System) -> int:
    return int(await system.database.pool.fetchval("SELECT count(*) FROM dead_letters WHERE published_at IS NULL"))


def posts_of(receiver: Receiver) -> Counter[str]:
    """How often each alert was posted, always with the same body."""
    assert len({(post.identity, post.sha256) for post in receiver.posts}) == len({p.identity for p in receiver.posts})
    return Counter(post.identity for post in receiver.posts)


def assert_in_order(receiver: Receiver, alerts: Sequence[Alert]) -> None:
    """First deliveries of a host follow its offsets (I4), and all were delivered."""
    delivered = list(dict.fromkeys(post.identity for post in receiver.posts if post.status == 200))
    for host in {alert.hostname for alert in alerts}:
        wanted = [str(alert.id) for alert in alerts if alert.hostname == host]
        assert [identity for identity in delivered if identity in wanted] == wanted


@pytest.mark.parametrize("name", ["alerts_read", "token_taken"])
async def test_24_25_before_the_request_nothing_is_posted_twice(system: System, receiver: Receiver, name: str) -> None:
    alerts = await raised(system)
    await crash(system, receiver, name)
    assert receiver.posts == []
    await forward(system, receiver)
    assert_in_order(receiver, alerts)
    assert set(posts_of(receiver).values()) == {1}


@pytest.mark.parametrize("name", ["request_written", "answered"])
async def test_26_27_what_was_not_recorded_is_posted_again_under_its_id(
    system: System, receiver: Receiver, name: str
) -> None:
    alerts = await raised(system)
    await crash(system, receiver, name)
    await until(lambda: _came(receiver), "the receiver has a request")
    in_flight = posts_of(receiver)
    assert await system.database.pool.fetchval("SELECT count(*) FROM alerts WHERE attempts > 0") == 0
    await forward(system, receiver)
    assert_in_order(receiver, alerts)
    assert len(in_flight) <= HOSTS
    assert posts_of(receiver) == Counter({str(alert.id): 1 for alert in alerts}) + in_flight


async def _came(receiver: Receiver) -> bool:
    return bool(receiver.posts)


async def test_28_a_probe_in_flight_is_posted_again_before_the_host_goes_on(system: System, receiver: Receiver) -> None:
    await configure(system.database.pool, "circuit_breaker_threshold", "1")
    await configure(system.database.pool, "circuit_breaker_timeout", "1")
    receiver.status = lambda number: 503 if number == 1 else 200
    alerts = await raised(system, hosts=1)
    await crash(system, receiver, "probe_in_flight", nth=2)
    await until(lambda: _came(receiver), "the receiver has a request")
    assert set(posts_of(receiver)) == {str(alerts[0].id)}
    await forward(system, receiver)
    assert_in_order(receiver, alerts)
    first, *others = [posts_of(receiver)[str(alert.id)] for alert in alerts]
    assert (first in (2, 3), others) == (True, [1] * (COUNT - 1))


async def test_29_what_is_recorded_and_comes_again_is_dropped_by_its_id(system: System, receiver: Receiver) -> None:
    alerts = await raised(system)
    await crash(system, receiver, "settled")
    settled = await system.database.pool.fetch("SELECT id FROM alerts WHERE state = 'delivered'")
    assert settled
    before = posts_of(receiver)
    await forward(system, receiver)
    assert_in_order(receiver, alerts)
    after = posts_of(receiver)
    assert {after[str(row["id"])] for row in settled} == {1}
    assert all(after[identity] <= 2 for identity in before)


async def test_30_a_letter_that_was_not_sent_is_sent_at_the_next_start(system: System, receiver: Receiver) -> None:
    receiver.status = lambda _: 422
    alerts = await raised(system)
    await crash(system, receiver, "letter_unsent")
    assert await _unpublished(system) > 0
    assert await asyncio.to_thread(read_all, system.stack.kafka.bootstrap, "mutt.dlq") == []
    await forward(system, receiver)
    letters = await system.database.pool.fetch("SELECT id, alert_id FROM dead_letters")
    assert {row["alert_id"] for row in letters} == {alert.id for alert in alerts}
    records = await asyncio.to_thread(read_all, system.stack.kafka.bootstrap, "mutt.dlq")
    sent = [dict(record.headers())["mutt.dlq.id"].decode() for record in records]
    assert sorted(sent) == sorted(str(row["id"]) for row in letters)
