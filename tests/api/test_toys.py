"""What every resource of v2 gets from the table: bodies, conditions, scopes, methods, parameters."""

from __future__ import annotations

from tests.api.toys import TOYS, Toys
from tests.api.window import window_of


def test_a_resource_from_creation_to_change() -> None:
    client = window_of([Toys()])
    made = client.post(TOYS, json={"name": "car"})
    assert (made.status_code, made.headers["location"], made.headers["etag"]) == (201, f"{TOYS}/1", '"1"')
    assert client.post(TOYS, json={"name": "car"}).json()["type"] == "/problems/conflict"
    assert client.get(TOYS).json() == {"items": [made.json()], "next": None}
    changed = client.put(f"{TOYS}/1", json={"name": "bus"}, headers={"If-Match": '"1"'})
    assert changed.json() == {"id": 1, "version": 2, "name": "bus", "wheels": 4}
    assert client.get(f"{TOYS}/1", headers={"If-None-Match": changed.headers["etag"]}).status_code == 304
    assert client.get(f"{TOYS}/2").status_code == 404
