"""What every IdempotencyStore must do; run on the one in memory and on PostgreSQL."""

from __future__ import annotations

import asyncio

from streams.core.idempotency import Begun, IdempotencyStore, InFlight, KeptAnswer, OtherRequest, keyed

ASKED = keyed("grafana", "k-1", "POST /api/v2/rules", b'{"a":1}')
ANSWER = KeptAnswer(201, (("location", "/api/v2/rules/1"), ("etag", '"1"')), b'{"id":1}')


class IdempotencyContract:
    """Subclass with the fixtures `store`, and `hasty`: the same one with leases of no time."""

    async def test_of_fifty_at_once_one_begins(self, store: IdempotencyStore) -> None:
        begun = await asyncio.gather(*(store.begin(ASKED) for _ in range(50)))
        assert sorted(type(one).__name__ for one in begun) == ["Begun"] + ["InFlight"] * 49

    async def test_an_answer_is_kept_for_the_same_request_of_the_same_client(self, store: IdempotencyStore) -> None:
        begun = await store.begin(ASKED)
        assert isinstance(begun, Begun)
        await store.settle(ASKED, begun.lease, ANSWER)
        assert await store.begin(ASKED) == ANSWER
        assert await store.begin(keyed("grafana", "k-1", ASKED.request, b"{}")) == OtherRequest()
        assert await store.begin(keyed("grafana", "k-1", "POST /api/v2/teams", b'{"a":1}')) == OtherRequest()
        assert isinstance(await store.begin(keyed("another", "k-1", ASKED.request, b"{}")), Begun)

    async def test_a_request_that_was_given_up_begins_anew(self, store: IdempotencyStore) -> None:
        begun = await store.begin(ASKED)
        assert isinstance(begun, Begun)
        await store.release(ASKED, begun.lease)
        assert isinstance(await store.begin(ASKED), Begun)

    async def test_one_that_died_is_taken_over_and_settles_nothing_when_it_comes_back(
        self, store: IdempotencyStore, hasty: IdempotencyStore
    ) -> None:
        died = await hasty.begin(ASKED)
        assert isinstance(died, Begun)
        assert await store.begin(keyed("grafana", "k-1", ASKED.request, b"{}")) == OtherRequest()
        heir = await store.begin(ASKED)
        assert isinstance(heir, Begun)
        await store.settle(ASKED, died.lease, ANSWER)
        await store.release(ASKED, died.lease)
        assert await store.begin(ASKED) == InFlight()
        await store.settle(ASKED, heir.lease, ANSWER)
        await store.release(ASKED, heir.lease)
        assert await store.begin(ASKED) == ANSWER
