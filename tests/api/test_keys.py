"""/api/v2/keys on keys in memory: shapes, refusals, and a secret that is shown once."""

from __future__ import annotations

import asyncio
import datetime as dt

import pytest
from starlette.testclient import TestClient

from api.app import Ports, resources
from api.key_ring import KeyRing
from api.metrics import ApiMetrics
from schemas.scopes import ALL_SCOPES, Scope
from streams.core.api_keys import WantedKey
from streams.core.authors import Author
from tests.api.window import NOW, ports_of, window_of
from tests.fakes_keys import PEPPER, MemoryAnswers, MemoryKeys

KEYS = "/api/v2/keys"
GRAFANA = {"client": "grafana", "scopes": ["audit:read"], "name": "dashboards", "reason": "new dashboards"}


class Desk:
    """An API with stored keys, and a client of it with an administrator's key."""

    def __init__(self, scopes: frozenset[Scope] = ALL_SCOPES) -> None:
        metrics = ApiMetrics()
        self.ports: Ports = ports_of(metrics)
        assert isinstance(self.ports.keys, MemoryKeys)
        assert isinstance(self.ports.answers, MemoryAnswers)
        self.keys, self.answers = self.ports.keys, self.ports.answers
        made = asyncio.run(self.keys.create(WantedKey("admin", scopes), Author("cli:ann")))
        self.id = made.key.id
        ring = KeyRing(self.keys, metrics, single=lambda: (), peppers=lambda: (PEPPER,), now=lambda: NOW)
        headers = {"X-API-KEY": made.text.reveal()}
        self.client: TestClient = window_of(resources(self.ports), authenticator=ring, headers=headers, metrics=metrics)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.mark.checks("KEY_1")
def test_a_key_is_made_and_shown_once(desk: Desk) -> None:
    made = desk.client.post(KEYS, json=GRAFANA)
    assert made.status_code == 201
    body = made.json()
    secret = body.pop("key")
    assert secret.startswith(f"mutt_{body['id']}_")
    (shown, _) = desk.client.get(KEYS).json()["items"]
    assert shown == body
    assert body == {
        "id": body["id"], "client": "grafana", "name": "dashboards", "scopes": ["audit:read"], "state": "live",
        "created_at": "2026-09-01T12:00:00Z", "expires_at": None, "revoked_at": None, "last_used_at": None,
    }  # fmt: skip
    assert desk.client.get("/api/v1/audit-logs", headers={"X-API-KEY": secret}).status_code in (200, 403)
    author = desk.keys.authors[-1]
    assert (author.actor, author.client_id, author.reason) == ("api:admin", "admin", "new dashboards")
    assert author.request_id == made.headers["x-request-id"]


@pytest.mark.checks("KEY_1")
def test_I9_a_repeated_answer_has_no_secret_and_neither_has_what_is_kept(desk: Desk) -> None:
    headers = {"Idempotency-Key": "k-1"}
    first, second = (desk.client.post(KEYS, json=GRAFANA, headers=headers) for _ in range(2))
    assert (second.status_code, second.headers["idempotency-replayed"]) == (201, "true")
    assert second.json() == first.json() | {"key": None}
    assert first.json()["key"].rpartition("_")[2] not in repr(desk.answers.kept) + second.text
    (kept,) = desk.answers.kept.values()
    assert kept.answer is not None
    assert first.json()["key"].encode() not in kept.answer.body
    assert len(desk.keys.stored) == 2


@pytest.mark.checks("KEY_3")
def test_two_are_live_and_a_third_is_409(desk: Desk) -> None:
    assert desk.client.post(KEYS, json=GRAFANA).status_code == 201
    rotated = desk.client.post(f"{KEYS}/rotate", json={"client": "grafana", "grace_seconds": 3600})
    assert (rotated.status_code, rotated.json()["scopes"]) == (201, ["audit:read"])
    newest, older, _ = desk.client.get(KEYS).json()["items"]
    assert (newest["id"], older["expires_at"]) == (rotated.json()["id"], "2026-09-01T13:00:00Z")
    for path, body in ((KEYS, GRAFANA), (f"{KEYS}/rotate", {"client": "grafana"})):
        answer = desk.client.post(path, json=body)
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/conflict")


def test_a_key_is_revoked_for_good(desk: Desk) -> None:
    made = desk.client.post(KEYS, json=GRAFANA).json()
    for _ in range(2):
        ended = desk.client.post(f"{KEYS}/{made['id']}/revoke", json={"reason": "lost"})
        assert (ended.status_code, ended.json()["state"]) == (200, "revoked")
    assert desk.client.get("/api/v1/slo", headers={"X-API-KEY": made["key"]}).status_code == 401


@pytest.mark.parametrize("id", ["nosuchkey000", "x", "a" * 200, "%27"])
@pytest.mark.checks("SCOPE_4")
def test_A6_a_guessed_id_is_404(desk: Desk, id: str) -> None:
    answer = desk.client.post(f"{KEYS}/{id}/revoke", json={})
    assert (answer.status_code, answer.json()["detail"]) == (404, "there is no such key")
    assert desk.client.post(f"{KEYS}/rotate", json={"client": "nobody"}).status_code == 404


@pytest.mark.checks("SCOPE_4")
def test_nobody_grants_what_he_does_not_have() -> None:
    desk = Desk(frozenset({Scope.KEYS_ADMIN}))
    assert desk.client.post(KEYS, json=GRAFANA).status_code == 403
    assert desk.client.post(KEYS, json=GRAFANA | {"scopes": ["keys:admin"]}).status_code == 201
    asyncio.run(desk.keys.create(WantedKey("strong", ALL_SCOPES), Author("cli:ann")))
    assert desk.client.post(f"{KEYS}/rotate", json={"client": "strong"}).status_code == 403
    assert desk.client.post(f"{KEYS}/rotate", json={"client": "admin"}).status_code == 201


def test_keys_are_for_administrators() -> None:
    desk = Desk(ALL_SCOPES - {Scope.KEYS_ADMIN})
    asked = (("GET", KEYS), ("POST", KEYS), ("POST", f"{KEYS}/rotate"), ("POST", f"{KEYS}/{desk.id}/revoke"))
    assert {desk.client.request(method, path).status_code for method, path in asked} == {403}


REFUSED = [
    ({"client": "Grafana"}, {"/client"}),
    ({"scopes": []}, {"/scopes"}),
    ({"scopes": ["everything"]}, {"/scopes/0"}),
    ({"name": "n" * 101, "scopes": None}, {"/name", "/scopes"}),
    ({"expires_at": "2026-09-02T12:00:00"}, {"/expires_at"}),
    ({"expires_at": "tomorrow"}, {"/expires_at"}),
    ({"id": "abc", "revoked_at": None}, {"/id", "/revoked_at"}),
]


@pytest.mark.parametrize(("changes", "pointers"), REFUSED)
@pytest.mark.checks("SCOPE_4")
def test_A5_faults_are_named_with_their_place(desk: Desk, changes: dict[str, object], pointers: set[str]) -> None:
    answer = desk.client.post(KEYS, json=GRAFANA | changes)
    assert answer.status_code == 422
    assert {fault["pointer"] for fault in answer.json()["errors"]} == pointers


@pytest.mark.parametrize("changes", [{"client": "development"}, {"client": "a\n"}, {"expires_at": NOW.isoformat()}])
def test_what_only_the_core_knows_is_422_too(desk: Desk, changes: dict[str, object]) -> None:
    assert desk.client.post(KEYS, json=GRAFANA | changes).status_code == 422


def test_pages_and_Q2_cursors_of_this_query_only(desk: Desk) -> None:
    for number in range(4):
        assert desk.client.post(KEYS, json=GRAFANA | {"client": f"c{number}"}).status_code == 201
    first = desk.client.get(KEYS, params={"limit": 3}).json()
    second = desk.client.get(KEYS, params={"limit": 3, "cursor": first["next"]}).json()
    clients = [key["client"] for key in first["items"] + second["items"]]
    assert (clients, second["next"]) == (["c3", "c2", "c1", "c0", "admin"], None)
    for params in (
        {"cursor": first["next"], "client": "c0"},
        {"cursor": first["next"][:-1] + "_"},
        {"cursor": "x"},
    ):
        answer = desk.client.get(KEYS, params=params)
        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/cursor")
    assert desk.client.get(KEYS, params={"client": "c0"}).json()["items"][0]["client"] == "c0"
    for bad in ({"limit": "0"}, {"limit": "1001"}, {"cursor": ""}, {"clients": "c0"}):
        assert desk.client.get(KEYS, params=bad).status_code == 422


def test_expired_keys_say_so(desk: Desk) -> None:
    later = NOW + dt.timedelta(days=90)
    made = desk.client.post(KEYS, json=GRAFANA | {"expires_at": later.isoformat()}).json()
    assert (made["state"], made["expires_at"]) == ("live", later.isoformat().replace("+00:00", "Z"))
