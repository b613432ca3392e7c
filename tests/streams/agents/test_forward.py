"""The forwarder: order, retries, breaker, rate, settlement and stops, on fakes of its ports and a time of our own."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from schemas import codec
from schemas.alerts import Alert, AlertState
from schemas.config import DynamicConfig
from schemas.dead_letters import REPLAY_HEADER, Reason
from schemas.errors import BrokerUnavailable, StoreUnavailable
from schemas.rules import AlertSeverity
from streams.agents.delivery_hold import HeldCaps
from streams.agents.forward_alerts import Forwarder
from streams.core.batches import CorruptBatch, OversizedBatch, PlainRecord, PolledBatch, Record
from streams.core.breaker import BreakerState
from streams.core.delivery import Fault, Standing
from streams.core.receivers.moogsoft import MOOGSOFT
from streams.core.receivers.receiver import Receiver
from tests.builders import alert
from tests.fakes_forward import NO_ANSWER, FakeDeliveries, FakeSink, FakeTime, settle_loop, status
from tests.fakes_match import FakeOutbox
from tests.toy_receiver import TOY


class World:
    """A forwarder with everything around it; alerts `a(host, n)` are committed and on the topic."""

    def __init__(self, receiver: Receiver = MOOGSOFT, **config: Any) -> None:
        self.receiver = receiver
        self.time = FakeTime()
        self.sink = FakeSink()
        self.store = FakeDeliveries()
        self.outbox = FakeOutbox()
        self.config = DynamicConfig(**{"moog_rate_limit": 1000} | config)
        self.deaths: list[BaseException] = []
        self.breaker_states: list[BreakerState] = []
        self.acked: list[int] = []
        self._offset = 0
        self.forwarder = self.worker()

    def worker(self, caps: HeldCaps | None = None) -> Forwarder:
        return Forwarder(
            sink=self.sink,
            receiver=self.receiver,
            store=self.store,
            outbox=self.outbox,
            config=lambda: self.config,
            clock=self.time,
            on_time_s=60.0,
            on_death=self.deaths.append,
            on_breaker=self.breaker_states.append,
            sleep=self.time.sleep,
            draw=lambda: 1.0,
            caps=caps,
        )

    def committed(self, host: str = "h1", **more: Any) -> Alert:
        one = alert(hostname=host, **more)
        self.store.commit(one.id, codec.encode(one))
        return one

    def record(self, one: Alert, **more: Any) -> PlainRecord:
        self._offset += 1
        milliseconds = int(self.time.now().timestamp() * 1000)
        return PlainRecord(self._offset, milliseconds, one.hostname.encode(), codec.encode(one), **more)

    def batch(self, *records: Record, partition: int = 0) -> PolledBatch:
        first, after = records[0].offset, records[-1].offset + 1
        return PolledBatch("mutt.alerts", partition, first, after, records, False, lambda: self.acked.append(first))

    async def send(self, *alerts: Alert) -> int:
        """Submits one batch with these alerts; its first offset is what `acked` names."""
        batch = self.batch(*(self.record(one) for one in alerts))
        await self.forwarder.submit(batch)
        await self.time.advance(0.05)  # the bucket starts with one token
        return batch.first

    @property
    def breaker(self) -> str:
        return self.forwarder.gate.breaker_state.name

    def state(self, one: Alert) -> AlertState:
        return self.store.rows[one.id].state


@contextlib.asynccontextmanager
async def running(world: World) -> AsyncIterator[World]:
    world.forwarder.assign([0], share=1.0)
    task = asyncio.ensure_future(world.forwarder.run())
    try:
        yield world
    finally:
        world.forwarder.revoke_all()
        await settle_loop()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert world.deaths == []


async def test_an_alert_is_posted_settled_and_acknowledged_once() -> None:
    async with running(World()) as world:
        one = world.committed()
        first = await world.send(one)
        assert world.sink.posted == [one.id]
        assert world.state(one) is AlertState.DELIVERED
        assert world.acked == [first]
        assert (world.store.good[0], world.store.total[0]) == (1, 1)
        assert world.forwarder.hold.records == 0


async def test_a_hosts_alerts_go_in_order_and_other_hosts_go_on() -> None:
    async with running(World()) as world:
        slow = [world.committed("h1", description=str(n)) for n in range(3)]
        quick = world.committed("h2")
        world.sink.answers[slow[0].id].extend([status(503), status(503)])
        first = await world.send(*slow, quick)
        assert world.sink.posted == [slow[0].id, quick.id]
        assert world.acked == []
        await world.time.advance(10)
        assert [post for post in world.sink.posted if post != quick.id] == [slow[0].id] * 3 + [slow[1].id, slow[2].id]
        assert world.acked == [first]


async def test_a_retry_carries_the_same_id_and_the_same_bytes() -> None:
    async with running(World()) as world:
        one = world.committed()
        world.sink.answers[one.id].extend([status(503), NO_ANSWER])
        await world.send(one)
        await world.time.advance(60)
        assert len(world.sink.posts) == 3
        assert len(set(world.sink.posts)) == 1
        assert world.store.rows[one.id].attempts == 3
        assert (world.store.good[0], world.store.total[0]) == (1, 3)


TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_the_trace_of_the_record_goes_to_the_receiver_if_it_is_one() -> None:
    async with running(World()) as world:
        forged = world.committed(traceparent="00-1\r\nX-Evil: 1")
        await world.send(world.committed(traceparent=TRACE), world.committed(), forged)
        assert sorted(world.sink.traces, key=str) == [TRACE, None, None]


async def test_failed_attempts_are_written_down_while_the_alert_waits() -> None:
    async with running(World()) as world:
        one = world.committed()
        world.sink.default = status(503)
        await world.send(one)
        assert (world.state(one), world.store.rows[one.id].attempts) == (AlertState.PENDING, 1)


async def test_a_refused_alert_is_dead_with_a_published_letter_and_the_next_goes_on() -> None:
    async with running(World()) as world:
        refused, good = world.committed(), world.committed()
        world.sink.answers[refused.id].append(status(422, text="no such\r\nfield \x1b[31m"))
        first = await world.send(refused, good)
        assert (world.state(refused), world.state(good)) == (AlertState.DEAD, AlertState.DELIVERED)
        (letter,) = world.store.letters.values()
        assert (letter.reason, letter.alert_id, letter.hostname) == (Reason.DELIVERY, refused.id, "h1")
        assert letter.detail == r"HTTP 422: no such\r\nfield \x1b[31m"
        assert letter.value == codec.encode(refused)
        assert world.acked == [first]


async def test_I4_the_host_of_a_refused_alert_waits_until_its_death_is_committed() -> None:
    async with running(World()) as world:
        refused, later, other = world.committed("h1"), world.committed("h1"), world.committed("h2")
        world.sink.answers[refused.id].append(status(422))
        world.store.open.clear()
        await world.send(refused, later, other)
        assert world.sink.posted == [refused.id, other.id]
        world.store.open.set()
        await world.time.advance(0.05)
        assert (world.state(refused), world.sink.posted[2:]) == (AlertState.DEAD, [later.id])


async def test_another_receiver_decides_body_and_verdict() -> None:
    async with running(World(TOY)) as world:
        refused, passing = world.committed("h1", description="link down"), world.committed("h2")
        world.sink.answers[refused.id].append(status(200, text='{"error": "no such room"}'))
        world.sink.answers[passing.id].append(status(200, text='{"error": "flood"}'))
        await world.send(refused, passing)
        await world.time.advance(10)
        assert (world.state(refused), world.state(passing)) == (AlertState.DEAD, AlertState.DELIVERED)
        assert world.sink.posted == [refused.id, passing.id, passing.id]
        assert world.sink.posts[0][1] == TOY.body(refused)
        (letter,) = world.store.letters.values()
        assert letter.detail == 'HTTP 200: {"error": "no such room"}'


async def test_letters_are_published_when_the_broker_is_back() -> None:
    async with running(World()) as world:
        refused = world.committed()
        world.sink.default = status(422)
        await settle_loop()
        world.outbox.pending = [refused.id]
        world.outbox.faults = [BrokerUnavailable("down")]
        await world.send(refused)
        assert world.outbox.published == []
        await world.time.advance(10)
        assert world.outbox.published == [refused.id]


async def test_a_letter_that_a_former_owner_wrote_after_the_rebalance_is_published_too() -> None:
    """Found by a history: PostgreSQL did what the killed owner had asked once the next one had looked."""
    async with running(World()) as world:
        letter = uuid.uuid4()
        await world.time.advance(1)
        world.outbox.pending = [letter]
        await world.time.advance(60)
        assert world.outbox.published == [letter]


async def test_Retry_After_holds_the_host_and_no_other() -> None:
    async with running(World()) as world:
        one, other = world.committed("h1"), world.committed("h2")
        world.sink.answers[one.id].append(status(429, retry_after="120"))
        await world.send(one)
        await world.time.advance(100)
        await world.send(other)
        assert world.sink.posted == [one.id, other.id]
        await world.time.advance(21)
        assert world.sink.posted == [one.id, other.id, one.id]


async def test_the_breaker_opens_costs_no_attempt_and_lets_one_probe_through() -> None:
    async with running(World(circuit_breaker_threshold=3, circuit_breaker_timeout=100)) as world:
        alerts = [world.committed(f"h{n}") for n in range(6)]
        world.sink.default = status(500)
        world.config = replace(world.config, moog_max_in_flight=1)
        await world.send(*alerts)
        assert world.breaker == "OPEN"
        posts = len(world.sink.posts)
        assert posts == 3
        await world.time.advance(99)
        assert len(world.sink.posts) == posts
        await world.time.advance(2)
        assert len(world.sink.posts) == posts + 1
        assert world.breaker == "OPEN"
        world.sink.default = status(200)
        await world.time.advance(300)
        assert all(world.state(one) is AlertState.DELIVERED for one in alerts)
        assert world.breaker == "CLOSED"


async def test_only_one_post_is_out_while_half_open() -> None:
    async with running(World(circuit_breaker_threshold=1, circuit_breaker_timeout=10)) as world:
        alerts = [world.committed(f"h{n}") for n in range(5)]
        world.sink.default = status(500)
        await world.send(alerts[0])
        await world.send(*alerts[1:])
        world.sink.gate.clear()
        await world.time.advance(11)
        assert world.sink.at_once == 1
        world.sink.default = status(200)
        world.sink.gate.set()
        await world.time.advance(100)
        assert all(world.state(one) is AlertState.DELIVERED for one in alerts)


async def test_the_probe_goes_out_when_nothing_else_is_on_its_way() -> None:
    """What was posted before the breaker opened must not be taken for the probe's answer."""
    async with running(World(circuit_breaker_threshold=1, circuit_breaker_timeout=1)) as world:
        slow, bad = world.committed("h1"), world.committed("h2")
        world.sink.gate.clear()
        await world.send(slow, bad)
        assert world.sink.at_once == 2
        world.sink.answers[bad.id].append(status(500))
        world.sink.let_out(bad.id)
        await world.time.advance(5)
        assert (world.breaker, world.sink.posted) == ("HALF_OPEN", [slow.id, bad.id])
        world.sink.answers[slow.id].append(status(500))
        world.sink.let_out(slow.id)
        await world.time.advance(0.1)
        assert world.sink.posted == [slow.id, bad.id, bad.id]
        world.sink.gate.set()
        await world.time.advance(30)
        assert world.breaker == "CLOSED"


async def test_every_change_of_the_breaker_is_told() -> None:
    async with running(World(circuit_breaker_threshold=1, circuit_breaker_timeout=10)) as world:
        world.sink.default = status(500)
        await world.send(world.committed())
        world.sink.default = status(200)
        await world.time.advance(20)
        assert [state.name for state in world.breaker_states] == ["OPEN", "HALF_OPEN", "CLOSED"]


async def test_the_breaker_is_half_open_in_time_with_nothing_to_send() -> None:
    """Its partitions are resumed by that, so that there is something to probe with."""
    async with running(World(circuit_breaker_threshold=1, circuit_breaker_timeout=10)) as world:
        world.sink.default = status(500)
        await world.send(world.committed())
        world.forwarder.revoke_all()
        await world.time.advance(10.1)
        assert world.breaker_states[-1].name == "HALF_OPEN"


async def test_after_an_outage_the_most_severe_go_first_and_each_host_in_order() -> None:
    async with running(World(circuit_breaker_threshold=1, circuit_breaker_timeout=60, moog_max_in_flight=1)) as world:
        world.sink.default = status(503)
        first = world.committed("h0")
        await world.send(first)
        severities = ["info", "critical", "minor", "major", "critical", "warning"]
        alerts = [world.committed(f"h{n % 5}", severity=AlertSeverity(name)) for n, name in enumerate(severities * 2)]
        await world.send(*alerts)
        world.sink.default = status(200)
        world.sink.posts.clear()
        await world.time.advance(120)
        assert len(world.sink.posted) == 13
        waiting = {f"h{n}": [one for one in [first, *alerts] if one.hostname == f"h{n}"] for n in range(5)}
        for posted in world.sink.posted:
            heads = [queue[0] for queue in waiting.values() if queue]
            chosen = next(one for one in heads if one.id == posted)
            assert chosen.severity.number == max(one.severity.number for one in heads)
            waiting[chosen.hostname].pop(0)


async def test_limited_alerts_wait_and_none_is_lost() -> None:
    async with running(World(moog_rate_limit=2)) as world:
        alerts = [world.committed(f"h{n}") for n in range(10)]
        await world.send(*alerts)
        assert len(world.sink.posts) == 1
        await world.time.advance(2)
        assert len(world.sink.posts) == 5
        await world.time.advance(3)
        assert sorted(world.sink.posted) == sorted(one.id for one in alerts)


async def test_a_worker_takes_the_share_of_its_partitions() -> None:
    async with running(World(moog_rate_limit=8)) as world:
        world.forwarder.assign([0], share=1 / 8)
        await world.send(*(world.committed(f"h{n}") for n in range(10)))
        await world.time.advance(4.5)
        assert len(world.sink.posts) == 5


async def test_no_more_posts_at_once_than_allowed() -> None:
    async with running(World(moog_max_in_flight=3)) as world:
        world.sink.gate.clear()
        await world.send(*(world.committed(f"h{n}") for n in range(20)))
        await world.time.advance(5)
        assert world.sink.at_once == 3
        world.sink.gate.set()
        await world.time.advance(5)
        assert world.sink.most_at_once == 3
        assert len(world.sink.posts) == 20


@pytest.mark.parametrize("state", [AlertState.DELIVERED, AlertState.DEAD])
async def test_a_redelivered_record_of_a_settled_alert_is_dropped(state: AlertState) -> None:
    async with running(World()) as world:
        one = world.committed()
        world.store.rows[one.id] = replace_state(world, one, state)
        first = await world.send(one)
        assert world.sink.posts == []
        assert world.acked == [first]


def replace_state(world: World, one: Alert, state: AlertState) -> Any:
    return replace(world.store.rows[one.id], state=state)


async def test_a_second_copy_in_flight_is_posted_once_and_both_batches_are_acknowledged() -> None:
    async with running(World()) as world:
        one = world.committed()
        world.sink.gate.clear()
        copies = [await world.send(one, one), await world.send(one)]
        world.sink.gate.set()
        await settle_loop()
        assert world.sink.posted == [one.id]
        assert world.acked == copies


class _SlowDeliveries(FakeDeliveries):
    """Rows are looked up as they stand when `answer` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.answer = asyncio.Event()
        self.answer.set()

    async def load(self, alerts: Sequence[uuid.UUID]) -> Mapping[uuid.UUID, Standing]:
        found = await super().load(alerts)
        await self.answer.wait()
        return found


async def test_a_second_copy_of_an_alert_settled_while_its_batch_is_looked_up_is_no_foreign_letter() -> None:
    world = World()
    world.store = store = _SlowDeliveries()
    world.forwarder = world.worker()
    async with running(world):
        one, other = world.committed("h1"), world.committed("h2")
        world.sink.gate.clear()
        await world.send(one)
        store.answer.clear()
        second = asyncio.ensure_future(world.send(one, other))
        await settle_loop()
        world.sink.let_out(one.id)
        await world.time.advance(1)
        assert world.state(one) is AlertState.DELIVERED
        world.sink.gate.set()
        store.answer.set()
        await world.time.advance(1)
        first = await second
        assert (world.sink.posted, store.letters) == ([one.id, other.id], {})
        assert first in world.acked


async def test_a_record_that_no_row_explains_is_a_foreign_letter_and_never_delivered() -> None:
    async with running(World()) as world:
        first = await world.send(alert())
        (letter,) = world.store.letters.values()
        assert (letter.reason, letter.alert_id) == (Reason.FOREIGN, None)
        assert world.sink.posts == []
        assert world.acked == [first]


async def test_other_bytes_under_a_committed_id_are_never_delivered() -> None:
    async with running(World()) as world:
        one = world.committed()
        await world.send(replace(one, description="forged"))
        assert [letter.reason for letter in world.store.letters.values()] == [Reason.FOREIGN]
        assert world.sink.posts == []
        assert world.state(one) is AlertState.PENDING


@pytest.mark.parametrize(
    "stranger",
    [PlainRecord(5, 0, None, None), PlainRecord(5, 0, b"h1", b"{}"), OversizedBatch(1, 5, 0, b"compressed")],
)
async def test_what_is_no_alert_becomes_a_foreign_letter(stranger: Record) -> None:
    async with running(World()) as world:
        one = world.committed()
        await world.forwarder.submit(world.batch(stranger, world.record(one)))
        await settle_loop()
        assert [letter.reason for letter in world.store.letters.values()] == [Reason.FOREIGN]
        assert world.state(one) is AlertState.DELIVERED
        assert len(world.acked) == 1


async def test_K15_a_corrupt_batch_halts_its_partition_after_what_was_good() -> None:
    async with running(World()) as world:
        good, after, elsewhere = world.committed(), world.committed(), world.committed("h2")
        corrupt = CorruptBatch(50, 0, "its checksum is wrong")
        await world.forwarder.submit(world.batch(world.record(good), corrupt))
        await world.send(after)
        await world.forwarder.submit(world.batch(world.record(elsewhere), partition=1))
        await settle_loop()
        assert (world.state(good), world.state(after)) == (AlertState.DELIVERED, AlertState.PENDING)
        assert world.state(elsewhere) is AlertState.DELIVERED
        assert len(world.acked) == 1
        assert "checksum" in world.forwarder.halted[0]


async def test_a_store_that_is_down_loses_nothing_and_stops_the_posts() -> None:
    async with running(World()) as world:
        one, other = world.committed("h1"), world.committed("h2")
        world.store.faults = [StoreUnavailable("down")] * 4
        first = await world.send(one)
        second = await world.send(other)
        assert world.sink.posted == [one.id]
        assert world.acked == []
        assert world.forwarder.stuck == "down"
        await world.time.advance(60)
        assert world.sink.posted == [one.id, other.id]
        assert world.acked == [first, second]
        assert world.forwarder.stuck is None


async def test_a_commit_whose_answer_was_lost_counts_once() -> None:
    async with running(World()) as world:
        one = world.committed()
        world.sink.default = status(422)
        world.store.lost_answers = [StoreUnavailable("connection lost")]
        await world.send(one)
        await world.time.advance(5)
        assert len(world.store.letters) == 1
        assert world.store.total[0] == 1
        assert len(world.acked) == 1


async def test_rows_that_cannot_be_read_are_waited_for() -> None:
    async with running(World()) as world:
        one = world.committed()
        world.store.load_faults = [StoreUnavailable("down")] * 3
        sending = asyncio.ensure_future(world.send(one))
        await settle_loop()
        assert world.sink.posts == []
        await world.time.advance(10)
        await sending
        assert world.state(one) is AlertState.DELIVERED


async def test_without_a_maximum_age_an_alert_is_tried_for_ever() -> None:
    async with running(World(circuit_breaker_threshold=10**4)) as world:
        one = world.committed()
        world.sink.default = NO_ANSWER
        await world.send(one)
        await world.time.advance(3600)
        assert len(world.sink.posts) > 60
        assert world.state(one) is AlertState.PENDING


async def test_beyond_the_maximum_age_it_becomes_a_letter() -> None:
    async with running(World(moog_retry_max_age=120)) as world:
        one, waiting = world.committed("h1"), world.committed("h1")
        world.sink.default = status(503)
        first = await world.send(one, waiting)
        await world.time.advance(121)
        assert (world.state(one), world.state(waiting)) == (AlertState.DEAD, AlertState.DEAD)
        assert {letter.reason for letter in world.store.letters.values()} == {Reason.DELIVERY_EXPIRED}
        assert waiting.id not in world.sink.posted
        assert world.acked == [first]


async def test_Retry_After_never_holds_an_alert_past_its_maximum_age() -> None:
    async with running(World(moog_retry_max_age=60)) as world:
        one = world.committed()
        world.sink.default = status(429, retry_after="3600")
        await world.send(one)
        await world.time.advance(61)
        assert world.sink.posted == [one.id]
        assert world.state(one) is AlertState.DEAD


async def test_what_expires_behind_an_open_breaker_costs_no_attempt() -> None:
    config: dict[str, Any] = {"moog_retry_max_age": 60, "circuit_breaker_threshold": 1, "circuit_breaker_timeout": 300}
    async with running(World(**config)) as world:
        alerts = [world.committed(f"h{n}") for n in range(3)]
        world.sink.default = status(503)
        world.config = replace(world.config, moog_max_in_flight=1)
        await world.send(*alerts)
        await world.time.advance(62)
        assert len(world.sink.posts) == 1
        assert {world.state(one) for one in alerts} == {AlertState.DEAD}


async def test_the_letter_of_a_replayed_alert_names_the_letter_it_came_from() -> None:
    async with running(World()) as world:
        seen: list[Any] = []
        settle = world.store.settle

        async def watched(settlements: Any, foreign: Any) -> None:
            seen.extend(settlements)
            await settle(settlements, foreign)

        world.store.settle = watched  # type: ignore[method-assign]
        one, old = world.committed(), uuid.uuid4()
        world.sink.default = status(422)
        await world.forwarder.submit(world.batch(world.record(one, headers=((REPLAY_HEADER, str(old).encode()),))))
        await settle_loop()
        assert [settlement.replay_of for settlement in seen] == [old]


async def test_the_next_batch_waits_at_the_cap() -> None:
    world = World()
    world.forwarder = world.worker(HeldCaps(records=2))
    async with running(world):
        world.sink.gate.clear()
        await world.send(world.committed(), world.committed())
        third = asyncio.ensure_future(world.send(world.committed("h2")))
        await settle_loop()
        assert len(world.sink.posts) == 1
        assert not third.done()
        world.sink.gate.set()
        await asyncio.wait_for(third, 5)
        assert len(world.acked) == 2


async def test_a_batch_that_waited_at_the_cap_through_a_rebalance_is_not_taken() -> None:
    world = World()
    world.forwarder = world.worker(HeldCaps(records=1))
    async with running(world):
        one, other = world.committed("h1"), world.committed("h1")
        world.sink.gate.clear()
        await world.send(one)
        waiting = asyncio.ensure_future(world.send(other))
        await settle_loop()
        world.forwarder.assign([0], share=1.0)
        await world.time.advance(1)
        await waiting
        world.sink.gate.set()
        await world.time.advance(1)
        assert world.sink.posted == [one.id]
        assert world.acked == []


async def test_revoked_alerts_are_not_acknowledged_but_a_post_on_its_way_is_written_down() -> None:
    async with running(World()) as world:
        out, waiting = world.committed("h1"), world.committed("h1")
        world.sink.gate.clear()
        await world.send(out, waiting)
        world.forwarder.revoke_all()
        world.sink.gate.set()
        await settle_loop()
        assert (world.state(out), world.state(waiting)) == (AlertState.DELIVERED, AlertState.PENDING)
        assert world.sink.posted == [out.id]
        assert world.acked == []


async def test_a_partition_that_comes_back_goes_on_without_a_second_post() -> None:
    async with running(World()) as world:
        out, waiting = world.committed("h1"), world.committed("h1")
        world.sink.gate.clear()
        await world.send(out, waiting)
        world.forwarder.assign([0], share=1.0)
        again = await world.send(out, waiting)
        world.sink.gate.set()
        await settle_loop()
        assert world.sink.posted == [out.id, waiting.id]
        assert world.acked == [again]


async def test_a_lower_cap_on_posts_at_once_is_in_force_within_a_second() -> None:
    async with running(World(moog_max_in_flight=4)) as world:
        world.sink.gate.clear()
        await world.send(*(world.committed(f"h{n}") for n in range(12)))
        await world.time.advance(1)
        assert world.sink.at_once == 4
        world.config = replace(world.config, moog_max_in_flight=7)
        await world.time.advance(1.1)
        assert world.sink.at_once == 7
        world.config = replace(world.config, moog_max_in_flight=1)
        for one in list(world.sink.posted):
            world.sink.let_out(one)
        await world.time.advance(1)
        assert world.sink.at_once == 1
        world.sink.gate.set()
        await world.time.advance(5)
        assert len(world.sink.posts) == 12


async def test_a_drain_finishes_posts_and_begins_none() -> None:
    async with running(World()) as world:
        out, waiting, retried = world.committed("h1"), world.committed("h1"), world.committed("h2")
        world.sink.answers[retried.id].append(status(503))
        await world.send(retried)
        world.sink.gate.clear()
        await world.send(out)
        await world.send(waiting)
        draining = asyncio.ensure_future(world.forwarder.drain(5))
        await settle_loop()
        world.sink.gate.set()
        assert await draining
        assert world.state(out) is AlertState.DELIVERED
        assert (world.state(waiting), world.state(retried)) == (AlertState.PENDING, AlertState.PENDING)
        assert len(world.acked) == 1


async def test_a_drain_says_when_it_could_not_finish() -> None:
    async with running(World()) as world:
        world.sink.gate.clear()
        await world.send(world.committed())
        assert not await world.forwarder.drain(0.05)
        world.sink.gate.set()
        await settle_loop()


async def test_a_changed_configuration_is_in_force_for_alerts_that_wait() -> None:
    async with running(World(circuit_breaker_threshold=1, circuit_breaker_timeout=3600)) as world:
        one = world.committed()
        world.sink.answers[one.id].append(replace(NO_ANSWER, fault=Fault.TIMEOUT))
        await world.send(one)
        await world.time.advance(10)
        assert world.state(one) is AlertState.PENDING
        world.config = replace(world.config, circuit_breaker_timeout=5)
        await world.time.advance(2)
        assert world.state(one) is AlertState.DELIVERED


async def test_a_post_on_its_way_is_work_and_a_wait_for_the_receiver_or_the_database_is_none() -> None:
    async with running(World(circuit_breaker_threshold=1)) as world:
        await world.time.advance(1)
        (idle,) = world.forwarder.work.items()
        assert idle[0] == "dispatching posts"
        await world.time.advance(1)
        assert world.forwarder.work["dispatching posts"] > idle[1]
        world.sink.gate.clear()
        one = world.committed()
        world.sink.answers[one.id].append(status(503))
        await world.send(one)
        assert world.forwarder.work["posting"] == 0
        world.sink.gate.set()
        await world.time.advance(0.1)
        assert world.breaker == "OPEN"
        assert list(world.forwarder.work) == ["dispatching posts"]
        world.store.faults = [StoreUnavailable("down")] * 3
        await world.time.advance(120)
        assert list(world.forwarder.work) == ["dispatching posts"]
