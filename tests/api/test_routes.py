"""The table of routes: what it refuses, where paths lead, and who may use which."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response
from structlog.testing import capture_logs

from api.app import resources
from api.problems import JsonResponse
from api.routes import PUBLIC, ApiRoute, Table, flatten
from schemas.scopes import ALL_SCOPES, Client, Scope
from schemas.secrets import Secret
from tests.api.toys import TOYS, Toys
from tests.api.window import ports_of, window_of


async def nothing(_: Request) -> Response:
    return Response()


def route(**changes: Any) -> ApiRoute:
    values = {"method": "GET", "path": "/api/v2/x", "endpoint": nothing, "scope": Scope.RULES_READ, "summary": "x"}
    return ApiRoute(**values | changes)


def every_route() -> tuple[ApiRoute, ...]:
    return flatten(resources(ports_of()))


@pytest.mark.parametrize(
    "changes",
    [
        {"scope": None},
        {"scope": None, "path": "/api/v2/versions"},
        {"scope": "rules:read"},
        {"method": "HEAD"},
        {"method": "get"},
        {"path": "/api/v1/x"},
    ],
)
@pytest.mark.checks("SCOPE_3")
def test_what_a_route_cannot_be(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"/x|/versions"):
        route(**changes)


@pytest.mark.checks("SCOPE_3")
def test_a_route_says_its_scope_even_where_it_has_none() -> None:
    with pytest.raises(TypeError, match="scope"):
        ApiRoute(method="GET", path="/api/v2/x", endpoint=nothing, summary="x")  # type: ignore[call-arg]


def test_a_route_stands_there_once() -> None:
    with pytest.raises(ValueError, match="twice"):
        Table([route(), route()])


def test_plain_paths_come_before_templates() -> None:
    table = Table([route(path="/api/v2/x/{name}"), route(path="/api/v2/x/all"), route(path="/api/v2/y/{id:int}")])
    for path, place, params in (
        ("/api/v2/x/all", "/api/v2/x/all", {}),
        ("/api/v2/x/b", "/api/v2/x/{name}", {"name": "b"}),
        ("/api/v2/y/7", "/api/v2/y/{id}", {"id": 7}),
        (f"/api/v2/y/{2**63 - 1}", "/api/v2/y/{id}", {"id": 2**63 - 1}),
    ):
        found = table.find(path)
        assert found is not None
        assert (found.place.path, found.params) == (place, params)
    for path in (
        "/api/v2/y/x",
        f"/api/v2/y/{2**63}",
        "/api/v2/y/" + "9" * 5000,
        "/api/v2/x/",
        "/api/v2/x/a/b",
        "/api/v2",
        "/api/v2/x/all/",
    ):
        assert table.find(path) is None


@pytest.mark.checks("SCOPE_3")
def test_the_public_is_a_short_list() -> None:
    unlocked = {route.path for route in every_route() if route.scope is None}
    assert unlocked <= PUBLIC
    assert {path for path in PUBLIC if path.startswith("/api/")} == {
        "/api/v1/version",
        "/api/v2/version",
        "/api/openapi.json",
        "/api/docs",
    }


class Holders:
    """Implements Authenticator: the secret is what its holder may do."""

    async def client_of(self, presented: Secret | None, address: str) -> Client | None:
        scopes = presented.reveal() if presented else ""
        return Client("c", "c", frozenset(Scope(name) for name in scopes.split())) if scopes else None


def path_of(route: ApiRoute) -> str:
    """A path that leads there."""
    samples = {"id:int": "1", "id:uuid": str(uuid.UUID(int=1)), "partition:int": "0"}
    return re.sub(r"{([^}]+)}", lambda match: samples.get(match[1], "x"), route.path)


@pytest.mark.parametrize("route", [*every_route(), *Toys().routes()], ids=lambda route: f"{route.method} {route.path}")
@pytest.mark.checks("SCOPE_1", "SCOPE_2")
def test_each_route_opens_to_its_scope_alone(route: ApiRoute) -> None:
    """Route × scope × method: without key 401, with any other scope 403 that names the missing one."""
    client = window_of([*resources(ports_of()), Toys()], authenticator=Holders())
    path = path_of(route)
    methods = ("GET", "HEAD") if route.method == "GET" else (route.method,)
    with capture_logs():  # the ports that lead nowhere are defects, told at length
        for method in methods:
            assert (client.request(method, path).status_code == 401) is (route.scope is not None)
            for scope in ALL_SCOPES:
                answer = client.request(method, path, headers={"X-API-KEY": scope.value})
                if route.scope in (None, scope):
                    assert answer.status_code not in (401, 403)
                else:
                    assert answer.status_code == 403
                    assert method == "HEAD" or route.scope.value in answer.text


@pytest.mark.checks("SCOPE_2")
def test_all_scopes_but_one_are_not_enough() -> None:
    client = window_of([Toys()], authenticator=Holders())
    others = " ".join(ALL_SCOPES - {Scope.RULES_WRITE})
    answer = client.post(TOYS, headers={"Authorization": f"Bearer {others}"}, json={"name": "car"})
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/forbidden")
    assert client.request("OPTIONS", TOYS, headers={"X-API-KEY": "events:write"}).status_code == 204
    assert client.request("OPTIONS", TOYS).status_code == 401


def test_what_is_public_is_a_route_not_its_path() -> None:
    class Both:
        def routes(self) -> tuple[ApiRoute, ...]:
            path = "/api/v2/version"
            return route(path=path, scope=None), route(path=path, method="PUT", scope=Scope.KEYS_ADMIN)

    client = window_of([Both()], authenticator=Holders())
    statuses = [client.request(method, "/api/v2/version").status_code for method in ("GET", "PUT", "DELETE", "OPTIONS")]
    assert statuses == [200, 401, 405, 204]
    assert client.put("/api/v2/version", headers={"X-API-KEY": "keys:admin"}).status_code == 200


def test_the_client_is_known_to_the_endpoint() -> None:
    async def whoami(request: Request) -> Response:
        return JsonResponse(request.state.client.id)

    class Asks:
        def routes(self) -> tuple[ApiRoute, ...]:
            return (route(endpoint=whoami, answer=str),)

    assert window_of([Asks()]).get("/api/v2/x").json() == "development"


def test_misspelt_parameters_of_v2_are_told_all_at_once() -> None:
    answer = window_of([Toys()]).get(f"{TOYS}?limt=1&api_version=2&x=2&x=3&limit=5")
    assert answer.status_code == 422
    assert [fault["parameter"] for fault in answer.json()["errors"]] == ["limt", "x"]


def test_successors_have_the_names_filled_in() -> None:
    class Old:
        def routes(self) -> tuple[ApiRoute, ...]:
            return (route(path="/api/v1/teams/{hostname}", successor="/api/v2/teams/{hostname}"),)

    answer = window_of([Old()]).get('/api/v1/teams/a"b%3E')
    assert answer.headers["link"] == '</api/v2/teams/a%22b%3E>; rel="successor-version"'


@pytest.mark.parametrize("old", [one for one in every_route() if one.lifetime.deprecated], ids=lambda one: one.path)
def test_old_routes_name_a_path_of_the_current_version(old: ApiRoute) -> None:
    assert old.successor is not None
    assert old.successor.startswith("/api/v2/")
