"""Stored keys at the gate: who gets in, what the others are told, and how much of them is remembered."""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
from dataclasses import dataclass, field
from typing import Any

import pytest
from prometheus_client.exposition import generate_latest
from starlette.testclient import TestClient

from api.auth import DEVELOPMENT, HOLDER, OneKey
from api.key_cache import FRESH_S
from api.key_ring import KeyRing
from api.metrics import ApiMetrics
from api.problems import Problem
from schemas.errors import StoreUnavailable
from schemas.scopes import Scope
from schemas.secrets import Secret
from streams.core.api_keys import RESERVED, Failure, MadeKey, WantedKey, hash_of, new_key, parse_key
from streams.core.authors import Author
from tests.api.toys import TOYS, Toys
from tests.api.window import window_of
from tests.fakes_keys import NOON, PEPPER, MemoryKeys

HERE, THERE = "192.0.2.7", "198.51.100.7"
READS = frozenset({Scope.RULES_READ})
ANN = Author("cli:ann")
NO_SUCH = new_key(b"n" * 12, b"n" * 32).text


@dataclass
class Ring:
    """A key ring on keys in memory, with clocks of its own."""

    single: Secret | None = None
    pepper: Secret | None = PEPPER
    previous: Secret | None = None
    now: dt.datetime = NOON
    clock: float = 100.0
    keys: MemoryKeys = field(init=False)
    metrics: ApiMetrics = field(default_factory=ApiMetrics)

    def __post_init__(self) -> None:
        self.keys = MemoryKeys(now=lambda: self.now)
        self.ring = KeyRing(
            self.keys,
            self.metrics,
            single=lambda: (self.single,) if self.single else (),
            peppers=lambda: tuple(pepper for pepper in (self.pepper, self.previous) if pepper),
            now=lambda: self.now,
            clock=lambda: self.clock,
        )

    async def make(self, client: str = "grafana", **changes: Any) -> MadeKey:
        return await self.keys.create(WantedKey(client, **{"scopes": READS} | changes), ANN)

    async def ask(self, presented: Secret | str | None, address: str = HERE) -> object:
        """The client, None for 401, or the seconds of Retry-After."""
        try:
            return await self.ring.client_of(Secret(presented) if isinstance(presented, str) else presented, address)
        except Problem as problem:
            if problem.type.status != 429:
                raise
            return int((problem.headers or {})["Retry-After"])

    def passes(self, seconds: float) -> None:
        self.clock += seconds
        self.now += dt.timedelta(seconds=seconds)

    def failures(self, reason: Failure) -> float:
        value = self.metrics.registry.get_sample_value("mutt_api_auth_failures_total", {"reason": reason.value})
        assert value is not None
        return value


def spoilt(key: Secret) -> str:
    """The same key with another secret."""
    text = key.reveal()
    return text[:-1] + ("A" if text[-1] != "A" else "E")


async def test_a_stored_key_opens_as_its_client() -> None:
    ring = Ring()
    made = await ring.make(name="dashboards")
    client: Any = await ring.ask(made.text)
    assert (client.id, client.name, client.scopes) == ("grafana", "dashboards", READS)
    assert ring.ring.uses.due() == {made.key.id: NOON}


async def test_the_key_of_the_secrets_opens_everything_beside_stored_ones() -> None:
    ring = Ring(single=Secret("k3y-of-the-test"))
    made = await ring.make()
    assert await ring.ask("k3y-of-the-test") is HOLDER
    assert await ring.ask(made.text) is not None
    assert await ring.ask(None) is None
    assert await ring.ask("k3y-of-the-tesT") is None


async def test_a_key_opens_under_both_peppers_and_asks_to_be_stored_under_the_new_one() -> None:
    ring = Ring()
    made = await ring.make()
    presented = parse_key(made.text.reveal())
    assert presented is not None
    ring.pepper, ring.previous = Secret("the-next-pepper-of-the-test-is-long"), PEPPER
    assert await ring.ask(made.text) is not None
    assert ring.ring.hashes == {made.key.id: (hash_of(presented, PEPPER), hash_of(presented, ring.pepper))}
    assert await ring.ask(spoilt(made.text)) is None
    ring.previous = None
    ring.passes(1)
    assert await ring.ask(made.text) is None
    ring.pepper = PEPPER
    ring.ring.hashes.clear()
    assert await ring.ask(made.text) is not None
    assert ring.ring.hashes == {}


async def test_both_of_two_single_keys_open() -> None:
    keys = (Secret("one"), Secret("two"))
    assert [await OneKey(*keys).client_of(Secret(text), HERE) for text in ("one", "two", "on")] == [
        HOLDER, HOLDER, None,
    ]  # fmt: skip


async def test_without_any_key_everyone_is_the_development_client() -> None:
    assert await Ring(pepper=None).ask(None) is DEVELOPMENT
    assert await Ring(pepper=PEPPER).ask(None) is None
    assert {DEVELOPMENT.id, HOLDER.id} == RESERVED


@pytest.mark.checks("KEY_3")
async def test_a_key_that_is_revoked_or_expires_is_refused_within_a_second() -> None:
    ring = Ring()
    revoked, expires = await ring.make(), await ring.make("other", expires_at=NOON + dt.timedelta(seconds=1))
    assert await ring.ask(revoked.text)
    assert await ring.ask(expires.text)
    await ring.keys.revoke(revoked.key.id, ANN)
    ring.passes(1.0)
    assert await ring.ask(revoked.text) is None
    assert await ring.ask(expires.text) is None
    assert (ring.failures(Failure.REVOKED), ring.failures(Failure.EXPIRED)) == (1, 1)


async def test_the_database_is_asked_once_for_many_requests() -> None:
    ring = Ring()
    made = await ring.make()
    assert all(await asyncio.gather(*(ring.ask(made.text) for _ in range(50))))
    ring.passes(FRESH_S * 0.9)
    assert await ring.ask(made.text)
    assert len(ring.keys.asked) == 1
    ring.passes(FRESH_S)
    assert await ring.ask(made.text)
    assert len(ring.keys.asked) == 2


@pytest.mark.checks("KEY_2")
async def test_A6_a_wrong_secret_costs_the_question_that_an_unknown_id_costs() -> None:
    ring = Ring()
    made = await ring.make()
    assert await ring.ask(made.text)
    for presented in (spoilt(made.text), NO_SUCH):
        asked = len(ring.keys.asked)
        assert await ring.ask(presented) is None
        assert len(ring.keys.asked) == asked + 1


async def test_whoever_was_limited_asks_the_database_of_one_key_no_more_than_its_owner_does() -> None:
    ring = Ring()
    made = await ring.make()
    assert await ring.ask(made.text, THERE)
    for _ in range(40):
        await ring.ask(NO_SUCH)
    asked = len(ring.keys.asked)
    for _ in range(40):
        assert await ring.ask(spoilt(made.text)) is not None
    assert len(ring.keys.asked) == asked


async def test_a_database_that_is_away_is_no_reason_to_refuse_a_key() -> None:
    ring = Ring(single=Secret("k3y-of-the-test"))
    made = await ring.make()
    ring.keys.fault = StoreUnavailable("away")
    with pytest.raises(StoreUnavailable):
        await ring.ask(made.text)
    assert await ring.ask("k3y-of-the-test") is HOLDER
    assert ring.ring.book.drain() == ()
    ring.keys.fault = None
    assert await ring.ask(made.text)


@pytest.mark.checks("KEY_5")
async def test_A11_what_is_presented_is_told_to_nobody() -> None:
    ring = Ring()
    made = await ring.make()
    wrong = spoilt(made.text)
    for presented in (wrong, NO_SUCH.reveal(), "mutt_not-a-key", "k\u00e9y"):
        assert await ring.ask(presented) is None
    rows = ring.ring.book.drain()
    assert [(row.key_id, row.reason, row.address) for row in rows] == [
        (made.key.id, Failure.WRONG, HERE),
        ("", Failure.UNKNOWN, HERE),
        ("", Failure.MALFORMED, HERE),
    ]
    told = repr(rows) + generate_latest(ring.metrics.registry).decode()
    assert wrong.rpartition("_")[2] not in told
    assert NO_SUCH.reveal().split("_")[1] not in told


@pytest.mark.checks("KEY_4")
async def test_after_too_many_failures_an_address_is_told_to_wait_without_a_look_at_the_database() -> None:
    ring = Ring()
    answers = [await ring.ask(NO_SUCH) for _ in range(40)]
    assert answers == [None] * 10 + [6] * 30
    asked = len(ring.keys.asked)
    assert await ring.ask(NO_SUCH) == 6
    assert len(ring.keys.asked) == asked
    assert await ring.ask(NO_SUCH, THERE) is None
    ring.passes(6.0)
    assert await ring.ask(NO_SUCH) is None
    ring.passes(60.0)
    assert [await ring.ask(NO_SUCH) for _ in range(11)] == [None] * 10 + [6]


async def test_who_shares_an_address_with_somebody_that_tries_keys_is_not_locked_out() -> None:
    ring = Ring()
    made = await ring.make()
    assert await ring.ask(made.text)
    for _ in range(50):
        await ring.ask(NO_SUCH)
    ring.passes(FRESH_S)
    assert getattr(await ring.ask(made.text), "id", None) == "grafana"


@pytest.mark.checks("KEY_4")
async def test_a_key_is_limited_over_all_addresses_and_still_opens() -> None:
    ring = Ring()
    made = await ring.make()
    answers = [await ring.ask(spoilt(made.text), f"192.0.2.{number}") for number in range(12)]
    assert answers == [None] * 10 + [6] * 2
    assert getattr(await ring.ask(made.text, "192.0.2.1"), "id", None) == "grafana"


async def test_a_flood_fills_no_memory() -> None:
    ring = Ring()
    for number in range(20_000):
        made = new_key(number.to_bytes(12, "big"), bytes(32))
        await ring.ask(made.text, f"10.0.{number >> 8}.{number & 255}")
    assert len(ring.ring.book.drain()) <= 101
    assert ring.ring.uses.due() == {}


def test_every_failure_has_its_metric_from_the_start() -> None:
    ring = Ring()
    assert [ring.failures(failure) for failure in Failure] == [0.0] * len(Failure)


# -- through the gate ---------------------------------------------------------------------------------------


def gate(ring: Ring) -> TestClient:
    return window_of([Toys()], authenticator=ring.ring)


@pytest.mark.parametrize("name", ["X-API-KEY", "Authorization"])
@pytest.mark.checks("SCOPE_2")
def test_scopes_of_a_stored_key_hold(name: str) -> None:
    ring = Ring()
    made = asyncio.run(ring.make())
    headers = {name: ("Bearer " if name == "Authorization" else "") + made.text.reveal()}
    client = gate(ring)
    assert client.get(TOYS, headers=headers).status_code == 200
    assert client.post(TOYS, headers=headers, json={"name": "car"}).status_code == 403


@pytest.mark.checks("KEY_2")
def test_A6_unknown_wrong_expired_and_revoked_are_one_answer() -> None:
    ring = Ring()
    wrong, revoked = asyncio.run(ring.make()), asyncio.run(ring.make())
    expired = asyncio.run(ring.make("other", expires_at=NOON + dt.timedelta(seconds=1)))
    asyncio.run(ring.keys.revoke(revoked.key.id, ANN))
    ring.passes(1.0)
    client = gate(ring)
    seen = []
    for text in (spoilt(wrong.text), revoked.text.reveal(), expired.text.reveal(), NO_SUCH.reveal()):
        answer = client.get(TOYS, headers={"X-API-KEY": text, "X-Correlation-ID": "c"})
        seen.append((answer.status_code, answer.text, answer.headers["www-authenticate"]))
        assert text.rpartition("_")[2] not in answer.text
    assert len(set(seen)) == 1
    assert seen[0][0] == 401


@pytest.mark.checks("KEY_4")
def test_429_says_when_to_come_again() -> None:
    client = gate(Ring())
    statuses = [client.get(TOYS, headers={"X-API-KEY": NO_SUCH.reveal()}) for _ in range(11)]
    last = statuses[-1]
    assert [answer.status_code for answer in statuses] == [401] * 10 + [429]
    assert (last.headers["retry-after"], last.json()["type"]) == ("6", "/problems/rate-limited")


def test_a_database_that_is_away_is_503_and_not_401() -> None:
    ring = Ring()
    made = asyncio.run(ring.make())
    ring.keys.fault = StoreUnavailable("away")
    answer = gate(ring).get(TOYS, headers={"X-API-KEY": made.text.reveal()})
    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)


def test_requests_without_a_key_are_not_limited() -> None:
    client = gate(Ring())
    assert {client.get(TOYS).status_code for _ in itertools.repeat(None, 50)} == {401}
