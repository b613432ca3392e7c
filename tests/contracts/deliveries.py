"""What every DeliveryStore must do; run on the fake and on PostgreSQL."""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from typing import Any, Protocol

from schemas import codec
from schemas.alerts import Alert, AlertState
from schemas.dead_letters import DeadLetter, Reason
from streams.core.delivery import Settlement, Standing
from streams.core.ports import DeliveryStore
from tests.builders import alert, dead_letter

NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


class Deliveries(Protocol):
    """A store, and a look at what is in it."""

    @property
    def store(self) -> DeliveryStore: ...

    async def commit(self, one: Alert) -> None:
        """What the match worker does."""

    async def replay(self, one: Alert) -> None:
        """It is pending again."""

    async def letters(self) -> set[uuid.UUID]: ...

    async def posts(self) -> tuple[int, int]:
        """Good and total posts of the SLI."""

    async def ends(self) -> tuple[int, int]:
        """Alerts that were on time, and all that came to their end."""


def settlement(one: Alert, **overrides: Any) -> Settlement:
    defaults: dict[str, Any] = {
        "alert_id": one.id,
        "state": AlertState.DELIVERED,
        "attempts": 1,
        "posts": 1,
        "good": 1,
        "partition": 3,
        "status": 200,
        "at": NOW,
        "first_attempt_at": NOW,
    }
    return Settlement(**defaults | overrides)


def died(one: Alert, letter: DeadLetter, **overrides: Any) -> Settlement:
    return settlement(one, **{"state": AlertState.DEAD, "good": 0, "status": 422, "letter": letter} | overrides)


def letter_of(one: Alert) -> DeadLetter:
    return dead_letter(reason=Reason.DELIVERY, topic="mutt.alerts", partition=3, alert_id=one.id)


class DeliveriesContract:
    """Subclass with a fixture `deliveries`."""

    async def test_a_committed_alert_is_pending_with_the_digest_of_its_record(self, deliveries: Deliveries) -> None:
        one, unknown = alert(description="link ↓"), uuid.uuid4()
        await deliveries.commit(one)
        digest = hashlib.sha256(codec.encode(one)).digest()
        assert await deliveries.store.load([one.id, unknown]) == {one.id: Standing(AlertState.PENDING, 0, digest, NOW)}

    async def test_settled_states_are_read_back_and_posts_counted(self, deliveries: Deliveries) -> None:
        good, bad, waits = alert(), alert(), alert()
        for one in (good, bad, waits):
            await deliveries.commit(one)
        pending = settlement(waits, state=AlertState.PENDING, good=0, status=None, error="timeout", posts=2, attempts=2)
        letter = letter_of(bad)
        await deliveries.store.settle([settlement(good), died(bad, letter), pending], [])
        standings = await deliveries.store.load([good.id, bad.id, waits.id])
        assert [(standings[one.id].state, standings[one.id].attempts) for one in (good, bad, waits)] == [
            (AlertState.DELIVERED, 1),
            (AlertState.DEAD, 1),
            (AlertState.PENDING, 2),
        ]
        assert await deliveries.letters() == {letter.id}
        assert await deliveries.posts() == (1, 4)

    async def test_the_same_again_changes_nothing(self, deliveries: Deliveries) -> None:
        bad, waits = alert(), alert()
        await deliveries.commit(bad)
        await deliveries.commit(waits)
        both = [died(bad, letter_of(bad)), settlement(waits, state=AlertState.PENDING, good=0)]
        foreign = dead_letter(reason=Reason.FOREIGN)
        for _ in range(2):
            await deliveries.store.settle(both, [foreign])
        assert len(await deliveries.letters()) == 2
        assert await deliveries.posts() == (0, 2)

    async def test_what_a_worker_says_too_late_changes_nothing(self, deliveries: Deliveries) -> None:
        one = alert()
        await deliveries.commit(one)
        await deliveries.store.settle([settlement(one)], [])
        await deliveries.store.settle([died(one, letter_of(one), attempts=9)], [])
        assert (await deliveries.store.load([one.id]))[one.id].state is AlertState.DELIVERED
        assert await deliveries.letters() == set()
        assert await deliveries.posts() == (1, 1)

    async def test_a_death_that_is_written_is_not_written_again_after_a_replay(self, deliveries: Deliveries) -> None:
        """By a worker that does not know that its first transaction was committed."""
        one = alert()
        await deliveries.commit(one)
        death = died(one, letter_of(one))
        await deliveries.store.settle([death], [])
        await deliveries.replay(one)
        await deliveries.store.settle([death], [])
        assert (await deliveries.store.load([one.id]))[one.id].state is AlertState.PENDING
        assert await deliveries.posts() == (0, 1)

    async def test_alerts_that_end_are_counted_once_by_whether_they_were_on_time(self, deliveries: Deliveries) -> None:
        on_time, late, dead, waits = (alert() for _ in range(4))
        for one in (on_time, late, dead, waits):
            await deliveries.commit(one)
        settlements = [
            settlement(on_time, on_time=True),
            settlement(late),
            died(dead, letter_of(dead)),
            settlement(waits, state=AlertState.PENDING, good=0),
        ]
        for _ in range(2):
            await deliveries.store.settle(settlements, [])
        assert await deliveries.ends() == (1, 3)

    async def test_an_alert_can_die_without_a_post(self, deliveries: Deliveries) -> None:
        one = alert()
        await deliveries.commit(one)
        letter = letter_of(one)
        await deliveries.store.settle([died(one, letter, attempts=0, posts=0, status=None, first_attempt_at=None)], [])
        assert (await deliveries.store.load([one.id]))[one.id].state is AlertState.DEAD
        assert await deliveries.letters() == {letter.id}
        assert await deliveries.posts() == (0, 0)
