"""What every ParkedOutbox must do; run on the fake and on PostgreSQL with Kafka."""

from __future__ import annotations

from typing import Protocol

from streams.core.ports import ParkedOutbox


class Parked(Protocol):
    """Letters that the test parks and takes out again."""

    @property
    def outbox(self) -> ParkedOutbox: ...

    async def park(self, count: int) -> None: ...

    async def unpark_and_park(self) -> None:
        """All of them."""


class ParkedOutboxContract:
    """Subclass with a fixture `parked`."""

    async def test_each_parked_letter_is_published_once_for_each_time_it_was_parked(self, parked: Parked) -> None:
        assert await parked.outbox.publish_parked() == 0
        await parked.park(45)
        assert await parked.outbox.publish_parked() == 45
        assert await parked.outbox.publish_parked() == 0
        await parked.unpark_and_park()
        assert await parked.outbox.publish_parked() == 45
