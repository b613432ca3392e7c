"""Idempotency-Key: the same request has one effect and one answer (BAD-INPUTS A7)."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Any

import httpx2
import pytest
from starlette.requests import Request
from starlette.responses import Response

from api import bodies
from api.app import Doors, create_app
from api.auth import OneKey
from api.idempotency import Repeatable
from api.metrics import ApiMetrics, Outcome
from api.problem_types import ProblemType
from api.problems import JsonResponse, Problem
from schemas.errors import StoreUnavailable
from streams.core.idempotency import LEASE
from tests.api.toys import TOYS, NewToy, Toys
from tests.contracts.idempotency import IdempotencyContract
from tests.fakes_keys import NOON, MemoryAnswers

CAR = {"name": "car"}
KEY = {"Idempotency-Key": "3f1c2a90"}


class TestInMemory(IdempotencyContract):
    @pytest.fixture
    def store(self) -> MemoryAnswers:
        return MemoryAnswers()

    @pytest.fixture
    def hasty(self, store: MemoryAnswers) -> MemoryAnswers:
        return MemoryAnswers(lease=dt.timedelta(0), kept=store.kept)


class Bench(Toys):
    """Toys that are made when the test lets them, or not at all."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.begun = asyncio.Event()
        self.fault: Exception | None = None
        self.status = 201
        self.calls = 0

    async def create(self, request: Request) -> Response:
        self.calls += 1
        self.begun.set()
        new = await bodies.read(request, NewToy)
        await self.go_on.wait()
        if self.fault is not None:
            raise self.fault
        return JsonResponse({"made": new.name, "call": self.calls}, self.status, headers={"Location": "/x"})


class World:
    """An API with one resource, on answers in memory."""

    def __init__(self) -> None:
        self.now = NOON
        self.store = MemoryAnswers(now=lambda: self.now)
        self.bench = Bench()
        self.metrics = ApiMetrics()
        routes = [Repeatable(self.bench, self.store, self.metrics)]
        app = create_app(routes, Doors(authenticator=OneKey(None)), self.metrics)
        self._transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)

    async def post(self, body: Any = CAR, path: str = TOYS, **headers: str) -> httpx2.Response:
        given = {name.replace("_", "-"): value for name, value in headers.items()} or KEY
        async with httpx2.AsyncClient(transport=self._transport, base_url="http://localhost") as client:
            return await client.post(path, json=body, headers=given)

    def outcomes(self, outcome: Outcome) -> float | None:
        return self.metrics.registry.get_sample_value("mutt_api_idempotent_requests_total", {"outcome": outcome.value})


@pytest.fixture
def world() -> World:
    return World()


async def test_A7_the_same_request_again_gets_the_same_answer(world: World) -> None:
    first, second = await world.post(), await world.post()
    assert (first.status_code, first.json()) == (201, {"made": "car", "call": 1})
    assert (second.status_code, second.content) == (first.status_code, first.content)
    assert second.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    kept = ("location", "content-type", "content-length", "x-api-version")
    assert [second.headers[name] for name in kept] == [first.headers[name] for name in kept]
    assert second.headers["x-request-id"] != first.headers["x-request-id"]
    assert world.bench.calls == 1
    assert (world.outcomes(Outcome.BEGUN), world.outcomes(Outcome.REPLAYED)) == (1, 1)


async def test_without_the_header_nothing_is_kept(world: World) -> None:
    answers = [await world.post(X="1") for _ in range(2)]
    assert [answer.json()["call"] for answer in answers] == [1, 2]
    assert world.store.kept == {}


async def test_A7_another_body_or_query_is_422(world: World) -> None:
    await world.post()
    for answer in (await world.post({"name": "bus"}), await world.post(path=TOYS + "?api_version=2")):
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/key-reused")
    assert world.bench.calls == 1


async def test_A7_in_flight_is_409_and_afterwards_answered(world: World) -> None:
    world.bench.go_on.clear()
    first = asyncio.create_task(world.post())
    await world.bench.begun.wait()
    second = await world.post()
    assert (second.status_code, second.json()["type"]) == (409, "/problems/in-flight")
    assert second.headers["retry-after"] == "1"
    world.bench.go_on.set()
    assert (await first).status_code == 201
    assert (await world.post()).json() == (await first).json()


async def test_of_fifty_at_once_one_has_an_effect(world: World) -> None:
    answers = await asyncio.gather(*(world.post() for _ in range(50)))
    assert world.bench.calls == 1
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert [answer for answer in answers if answer.status_code == 201]


@pytest.mark.parametrize(
    "fault",
    [
        Problem(ProblemType.CONFLICT, "there is one"),
        StoreUnavailable("away"),
        ValueError("a defect"),
    ],
)
async def test_what_was_refused_or_failed_may_be_tried_again(world: World, fault: Exception) -> None:
    world.bench.fault = fault
    assert (await world.post()).status_code in (409, 500, 503)
    world.bench.fault = None
    again = await world.post()
    assert (again.status_code, "idempotency-replayed" in again.headers) == (201, False)


async def test_an_answer_of_the_servers_fault_is_not_kept(world: World) -> None:
    world.bench.status = 503
    assert (await world.post()).status_code == 503
    world.bench.status = 201
    assert (await world.post()).status_code == 201


async def test_a_body_that_is_refused_is_refused_with_the_key_too(world: World) -> None:
    bad = await world.post({"name": "car", "weels": 3})
    assert (bad.status_code, bad.json()["errors"][0]["pointer"]) == (422, "/weels")
    assert (await world.post()).status_code == 201


async def test_a_request_that_died_does_not_hold_its_key_for_ever(world: World) -> None:
    world.bench.go_on.clear()
    died = asyncio.create_task(world.post())
    await world.bench.begun.wait()
    died.cancel()
    await asyncio.gather(died, return_exceptions=True)
    world.bench.go_on.set()
    assert (await world.post()).status_code == 409
    world.now += LEASE
    assert (await world.post()).status_code == 201


async def test_an_answer_that_cannot_be_kept_is_still_given(world: World) -> None:
    world.bench.go_on.clear()
    first = asyncio.create_task(world.post())
    await world.bench.begun.wait()
    world.store.fault = StoreUnavailable("away")
    world.bench.go_on.set()
    assert (await first).status_code == 201


async def test_a_store_that_is_away_is_503_and_nothing_runs(world: World) -> None:
    world.store.fault = StoreUnavailable("away")
    assert (await world.post()).status_code == 503
    assert world.bench.calls == 0


@pytest.mark.parametrize("key", ["", "a b", "a" * 256, "\x7f"])
async def test_keys_that_are_none_are_422(world: World, key: str) -> None:
    answer = await world.post(Idempotency_Key=key)
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (422, "Idempotency-Key")
    assert world.bench.calls == 0


async def test_a_large_body_is_413_with_a_key_too(world: World) -> None:
    assert (await world.post({"name": "a" * 1_100_000})).status_code == 413
    assert world.store.kept == {}


async def test_what_was_done_is_not_done_again_though_its_answer_was_lost(world: World) -> None:
    """A COMMIT without an answer is 503, and yet it may have taken place."""
    world.bench.fault = StoreUnavailable("the connection broke at COMMIT")
    world.bench.go_on.clear()
    first = asyncio.create_task(world.post())
    await world.bench.begun.wait()
    (one,) = world.store.kept.values()
    one.done = True
    world.bench.go_on.set()
    assert (await first).status_code == 503
    in_hand = await world.post()
    assert (in_hand.status_code, in_hand.json()["type"]) == (409, ProblemType.IN_FLIGHT.uri)
    world.now += LEASE
    lost = await world.post()
    assert (lost.status_code, lost.json()["type"]) == (409, ProblemType.CONFLICT.uri)
    assert world.bench.calls == 1
    assert world.outcomes(Outcome.LOST) == 1
