"""While PostgreSQL is known to be down, callers learn it at once; one probe finds out when it is back."""

from __future__ import annotations

import asyncio

import httpx2
import pytest
from prometheus_client.exposition import generate_latest

from api.app import Doors, create_app, resources
from api.auth import OneKey
from api.circuit import Circuit, means_down
from api.guard import Guard
from api.guarded_reads import GuardedReads
from api.metrics import ApiMetrics
from api.turns import Turns
from schemas.errors import MigrationRefused, QuestionFailed, StoreUnavailable, TooSlow
from streams.core.breaker import BreakerPolicy
from streams.core.reads import AuditPage, AuditQuery
from tests.api.window import FakeReads, ports_of

LOGS = "/api/v1/audit-logs"
HELD = f"{LOGS}?page=2"
HELD_QUERY = AuditQuery(page=2)
FAILURES, OPEN_S = 3, 10.0


class HeldReads(FakeReads):
    """Its second page comes, or fails, once it is free."""

    def __init__(self) -> None:
        super().__init__()
        self.free = asyncio.Event()
        self.free.set()

    async def audit_logs(self, query: AuditQuery) -> AuditPage:
        self.asked.append(query)
        if query == HELD_QUERY:
            await self.free.wait()
        if self.fault is not None:
            raise self.fault
        return AuditPage((), 0)


class Guarded:
    """An API around guarded reads from memory; `now` is the clock of its circuit."""

    def __init__(self, *, at_once: int = 8, waiting: int = 8, within_s: float = 60.0) -> None:
        self.now = 100.0
        self.reads = HeldReads()
        self.metrics = ApiMetrics()
        circuit = Circuit("postgresql", BreakerPolicy(FAILURES, OPEN_S), self.metrics, clock=lambda: self.now)
        self.guard = GuardedReads(self.reads, Guard(circuit, Turns(at_once, waiting=waiting, within_s=within_s)))
        ports = ports_of(self.metrics, checks={"postgresql": self.guard.check_schema}, reads=self.guard)
        app = create_app(resources(ports), Doors(authenticator=OneKey(None)), self.metrics)
        self._transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)

    async def get(self, path: str = HELD) -> httpx2.Response:
        async with httpx2.AsyncClient(transport=self._transport, base_url="http://localhost") as client:
            return await client.get(path)

    async def get_many(self, count: int, *, held: int) -> list[httpx2.Response]:
        """Asked at once; the store is set free when only so many still wait for their answer."""
        self.reads.free.clear()
        asked = [asyncio.create_task(self.get()) for _ in range(count)]
        await until_held(asked, held)
        self.reads.free.set()
        return await asyncio.gather(*asked)

    async def opens(self) -> None:
        """So many failures in a row that the circuit is open; from then on the store would answer."""
        self.reads.fault = StoreUnavailable("refused")
        assert [(await self.get()).headers["retry-after"] for _ in range(FAILURES)] == ["5"] * FAILURES
        self.reads.fault = None
        self.reads.asked.clear()

    def lines(self) -> list[str]:
        return generate_latest(self.metrics.registry).decode().splitlines()


async def until_held(asked: list[asyncio.Task[httpx2.Response]], held: int) -> None:
    async with asyncio.timeout(30):
        while sum(not one.done() for one in asked) > held:
            await asyncio.sleep(0)


async def test_while_open_nobody_is_asked_and_callers_learn_when_to_come_again() -> None:
    world = Guarded()
    await world.opens()
    for later, wait in ((0.0, "10"), (0.5, "10"), (6.0, "4"), (3.4, "1")):
        world.now += later
        answer = await world.get()
        assert (answer.status_code, answer.headers["retry-after"]) == (503, wait)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"] == "the database does not answer; try again"
    assert (await world.get(LOGS)).status_code == 503
    assert world.reads.asked == []


async def test_a_probe_that_fails_opens_it_again_and_one_that_succeeds_closes_it() -> None:
    world = Guarded()
    await world.opens()
    world.now += OPEN_S
    world.reads.fault = StoreUnavailable("refused")
    assert [(await world.get()).headers["retry-after"] for _ in range(2)] == ["5", "10"]
    world.now += OPEN_S
    world.reads.fault = None
    assert [(await world.get()).status_code for _ in range(3)] == [200] * 3


async def test_one_single_probe_goes_out_however_many_ask() -> None:
    world = Guarded()
    await world.opens()
    world.now += OPEN_S
    answers = await world.get_many(20, held=1)
    assert world.reads.asked == [HELD_QUERY]
    assert sorted(answer.status_code for answer in answers) == [200] + [503] * 19
    assert {answer.headers["retry-after"] for answer in answers if answer.status_code == 503} == {"1"}


async def test_a_probe_that_was_given_up_is_no_answer_and_makes_room_for_the_next() -> None:
    world = Guarded()
    await world.opens()
    world.now += OPEN_S
    world.reads.free.clear()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(world.guard.audit_logs(HELD_QUERY), 0.01)
    world.reads.free.set()
    assert (await world.get()).headers["retry-after"] == "10"
    world.now += OPEN_S
    assert (await world.get()).status_code == 200


@pytest.mark.parametrize("fault", [StoreUnavailable("cut"), TooSlow("cut")], ids=["away", "slow"])
async def test_what_was_asked_before_is_not_taken_for_the_probe(fault: StoreUnavailable) -> None:
    world = Guarded()
    world.reads.free.clear()
    before = asyncio.create_task(world.get())
    async with asyncio.timeout(30):
        while not world.reads.asked:
            await asyncio.sleep(0)
    world.reads.fault = StoreUnavailable("refused")
    for _ in range(FAILURES):
        assert (await world.get(LOGS)).status_code == 503
    world.now += OPEN_S
    world.reads.fault = fault
    world.reads.free.set()
    assert (await before).status_code == 503
    assert 'mutt_circuit_breaker_state{name="postgresql"} 1.0' in world.lines()
    world.reads.fault = None
    assert (await world.get()).status_code == 200


async def test_the_readiness_check_may_be_the_probe() -> None:
    world = Guarded()
    await world.opens()
    world.now += OPEN_S
    assert (await world.get("/ready")).status_code == 200
    assert 'mutt_circuit_breaker_state{name="postgresql"} 0.0' in world.lines()


async def test_a_question_that_takes_too_long_never_opens_it() -> None:
    world = Guarded()
    world.reads.fault = TooSlow("canceling statement due to statement timeout")
    for _ in range(FAILURES + 1):
        answer = await world.get(LOGS)
        assert (answer.status_code, answer.json()["detail"]) == (503, "the answer takes too long; ask for less")
    assert len(world.reads.asked) == FAILURES + 1


@pytest.mark.parametrize(
    ("error", "down"),
    [
        (StoreUnavailable(""), True),
        (asyncio.CancelledError(), True),
        (QuestionFailed(""), False),
        (TooSlow(""), False),
        (MigrationRefused(""), False),
        (ZeroDivisionError(), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_means_that_a_service_is_down(error: BaseException, down: bool) -> None:
    assert means_down(error) is down


async def test_so_many_wait_for_a_turn_and_the_others_are_refused_at_once() -> None:
    world = Guarded(at_once=2, waiting=3)
    answers = await world.get_many(20, held=5)
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [503] * 15
    refused = {(one.json()["detail"], one.headers["retry-after"]) for one in answers if one.status_code == 503}
    assert refused == {("too many requests wait already; try again", "5")}
    assert (await world.get()).status_code == 200


async def test_a_turn_is_not_waited_for_longer_than_the_bound() -> None:
    world = Guarded(at_once=1, within_s=0.01)
    assert sorted(one.status_code for one in await world.get_many(3, held=1)) == [200, 503, 503]


async def test_what_waited_for_a_turn_does_not_go_to_a_store_that_went_down_meanwhile() -> None:
    world = Guarded(at_once=FAILURES)
    world.reads.fault = StoreUnavailable("refused")
    assert {one.status_code for one in await world.get_many(FAILURES + 5, held=FAILURES + 5)} == {503}
    assert len(world.reads.asked) == FAILURES


async def test_metrics_show_the_state_and_count_its_changes() -> None:
    world = Guarded()
    name = 'name="postgresql"'
    assert f"mutt_circuit_breaker_state{{{name}}} 0.0" in world.lines()
    await world.opens()
    assert f"mutt_circuit_breaker_state{{{name}}} 2.0" in world.lines()
    assert f"mutt_circuit_breaker_failures{{{name}}} 3.0" in world.lines()
    world.now += OPEN_S
    await world.get()
    changes = [line for line in world.lines() if line.startswith("mutt_circuit_breaker_state_changes_total{")]
    assert changes == [
        f'mutt_circuit_breaker_state_changes_total{{from_state="{before}",{name},to_state="{after}"}} 1.0'
        for before, after in (("closed", "open"), ("open", "half_open"), ("half_open", "closed"))
    ]
