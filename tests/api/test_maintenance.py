"""/api/v2/maintenance: declared, shown, ended, and refused."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from api.app import resources
from tests.api.window import NOW, ports_of, window_of
from tests.fakes_slo import FakeMaintenance

PATH = "/api/v2/maintenance"
BODY: dict[str, Any] = {
    "component": "forwarder",
    "starts_at": "2026-09-01T11:00:00Z",
    "ends_at": "2026-09-01T13:00:00+00:00",
    "reason": "receiver upgrade",
}


def window(store: FakeMaintenance | None = None) -> TestClient:
    return window_of(resources(ports_of(maintenance=store or FakeMaintenance(NOW))))


def test_a_window_from_its_declaration_to_its_end() -> None:
    store = FakeMaintenance(NOW)
    client = window(store)
    made = client.post(PATH, json=BODY)
    assert (made.status_code, made.headers["location"], made.headers["etag"]) == (201, f"{PATH}/1", '"1"')
    assert (made.json()["component"], made.json()["ends_at"]) == ("forwarder", "2026-09-01T13:00:00Z")
    assert (store.authors[0].actor.startswith("api:"), store.authors[0].reason) == (True, "receiver upgrade")
    assert client.get(PATH).json() == {"items": [made.json()], "next": None}
    assert client.get(f"{PATH}/1").json() == made.json()
    assert client.delete(f"{PATH}/1").status_code == 428
    assert client.delete(f"{PATH}/1", headers={"If-Match": '"9"'}).status_code == 412
    ended = client.delete(f"{PATH}/1", headers={"If-Match": '"1"'})
    assert (ended.status_code, ended.json()["ends_at"]) == (200, "2026-09-01T12:00:00Z")
    over = client.delete(f"{PATH}/1", headers={"If-Match": '"2"'})
    assert (over.status_code, "is over since" in over.json()["detail"]) == (409, True)


def test_what_has_not_begun_is_taken_back() -> None:
    client = window()
    client.post(PATH, json=BODY | {"component": None, "starts_at": "2026-09-01T12:30:00Z"})
    assert client.delete(f"{PATH}/1", headers={"If-Match": '"1"'}).status_code == 200
    assert client.get(f"{PATH}/1").status_code == 404
    assert client.get(PATH).json()["items"] == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"component": "web"}, "/component"),
        ({"starts_at": "2026-09-01T11:00:00"}, "/starts_at"),
        ({"starts_at": "yesterday", "reason": ""}, "/reason"),
        ({"reason": "x" * 501}, "/reason"),
        ({"declared_by": "eve"}, "/declared_by"),
    ],
)
def test_bad_members_are_422_with_their_place(change: dict[str, Any], named: str) -> None:
    answer = window().post(PATH, json=BODY | change)
    assert answer.status_code == 422
    assert named in [error["pointer"] for error in answer.json()["errors"]]


@pytest.mark.parametrize("ends", ["2026-09-01T11:00:00Z", "2026-08-01T11:00:00Z", "2026-10-01T11:00:01Z"])
def test_bad_spans_are_422(ends: str) -> None:
    answer = window().post(PATH, json=BODY | {"ends_at": ends})
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/validation")


def test_a_component_must_be_named_or_null() -> None:
    body = {name: value for name, value in BODY.items() if name != "component"}
    assert window().post(PATH, json=body).status_code == 422
