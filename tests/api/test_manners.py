"""HTTP manners: paths, hosts, compression, other sites' pages, ids in the log."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from structlog.testing import capture_logs

from api.routes import ApiRoute, Endpoint
from schemas.scopes import Scope
from streams.logs import add_what_is_in_hand
from tests.api.toys import TOYS, Toy, Toys
from tests.api.window import window, window_of

SLO = "/api/v1/slo"


class One:
    """A resource of one route."""

    def __init__(self, path: str, endpoint: Endpoint, **more: Any) -> None:
        self._route = ApiRoute(method="GET", path=path, endpoint=endpoint, scope=Scope.EVENTS_READ, summary="x", **more)

    def routes(self) -> tuple[ApiRoute, ...]:
        return (self._route,)


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/..%2fslo",
        "/api/v1/%2e%2e/slo",
        "/api/v1/slo%00",
        "/api/v1//slo",
        "//api/v1/slo",
        "/api/v1/slo;x",
        "/api/v1/slo%C0%AF",
        "/api/v1/slo/",
        "/api/v1/SLO",
        "/api/v1/slo%0d%0aX:y",
        "/api/v2/toys/%00",
    ],
)
def test_A8_odd_paths_lead_nowhere(path: str) -> None:
    assert window().get(path).status_code in (400, 404)


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:8090", "127.0.0.1", "10.1.2.3:80", "[::1]:8090", "mutt.example.", "a.b.example.org"],
)
def test_A10_hosts_that_are_served(host: str) -> None:
    client = window_of([Toys()], hosts=("mutt.example", "*.example.org"))
    assert client.get(TOYS, headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("name", ["%00", "a%0d%0aX:y", "%C0%AF", "a%1b[2J", "%ED%A0%80", "%C2%85"])
def test_A8_names_in_a_path_are_text(name: str) -> None:
    """What reaches an endpoint by a path holds no control characters, and nothing that servers decode as they like."""
    asked: list[str] = []

    async def named(request: Request) -> Response:
        asked.append(request.path_params["name"])
        return Response()

    client = window_of([One("/api/v2/names/{name}", named)])
    assert client.get(f"/api/v2/names/{name}").status_code == 400
    assert client.get("/api/v2/names/%C3%A4%20b;c").status_code == 200
    assert asked == ["ä b;c"]


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "localhost@evil",
        "example.org",
        "a b",
        "localhost:x",
        "[::1",
    ],
)
def test_A10_other_hosts_are_400(host: str) -> None:
    answer = window_of([Toys()], hosts=("mutt.example", "*.example.org")).get(TOYS, headers={"Host": host})
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/host")
    assert "evil" not in answer.text


def test_A10_what_a_stranger_says_of_forwarding_means_nothing() -> None:
    forwarded = {"X-Forwarded-Host": "evil.example", "X-Forwarded-For": "127.0.0.1", "Forwarded": "host=evil.example"}
    answer = window_of([Toys()]).post(TOYS, json={"name": "a"}, headers=forwarded)
    assert answer.status_code == 201
    assert "evil" not in str(answer.headers) + answer.text


def test_A3_ranges_are_ignored() -> None:
    ranges = "bytes=" + "0-," * 10_000
    assert window().get(SLO, headers={"Range": ranges}).status_code == 200


def test_A9_the_method_is_the_method() -> None:
    shelf: dict[int, Toy] = {}
    client = window_of([Toys(shelf)])
    for name in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"):
        assert client.get(TOYS, headers={name: "POST"}).json() == {"items": [], "next": None}
    assert client.request("DELETE", TOYS, headers={"X-HTTP-Method-Override": "GET"}).status_code == 405
    assert shelf == {}


@pytest.mark.parametrize(
    ("path", "allow"), [(TOYS, "GET, HEAD, OPTIONS, POST"), (f"{TOYS}/1", "GET, HEAD, OPTIONS, PUT")]
)
def test_A9_options_and_405_say_what_is_allowed(path: str, allow: str) -> None:
    client = window_of([Toys()])
    options = client.request("OPTIONS", path)
    assert (options.status_code, options.headers["allow"], options.content) == (204, allow, b"")
    for method in ("TRACE", "PROPFIND", "DELETE"):
        answer = client.request(method, path)
        assert (answer.status_code, answer.headers["allow"]) == (405, allow)


def test_head_is_get_without_its_body() -> None:
    client = window_of([Toys()])
    assert client.head(TOYS).headers["content-length"] == client.get(TOYS).headers["content-length"]
    assert client.head("/api/v2/nothing").status_code == 404


def test_large_answers_are_compressed_for_who_asks() -> None:
    client = window_of([Toys({n: Toy(n, 1, "name", 4) for n in range(100)})])
    packed = client.get(TOYS, headers={"Accept-Encoding": "gzip"})
    assert (packed.headers["content-encoding"], packed.headers["vary"]) == ("gzip", "Accept-Encoding")
    assert int(packed.headers["content-length"]) < len(packed.content)
    assert "content-encoding" not in client.get(TOYS, headers={"Accept-Encoding": "identity"}).headers
    assert "content-encoding" not in client.get(f"{TOYS}?limit=1", headers={"Accept-Encoding": "gzip"}).headers


def test_so_are_large_problems() -> None:
    misspelt = "&".join(f"filter_{n}=x" for n in range(100))
    answer = window_of([Toys()]).get(f"{TOYS}?{misspelt}", headers={"Accept-Encoding": "gzip"})
    assert (answer.status_code, answer.headers["content-encoding"]) == (422, "gzip")
    assert len(answer.json()["errors"]) == 100


def test_other_sites_pages_may_not_ask() -> None:
    preflight = {"Origin": "https://grafana.example", "Access-Control-Request-Method": "POST"}
    answer = window_of([Toys()]).request("OPTIONS", TOYS, headers=preflight)
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_other_sites_pages_may_ask_where_they_are_listed() -> None:
    client = window_of([Toys()], origins=("https://grafana.example",))
    preflight = {"Origin": "https://grafana.example", "Access-Control-Request-Method": "POST"}
    answer = client.request("OPTIONS", TOYS, headers=preflight | {"Access-Control-Request-Headers": "x-api-key"})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "https://grafana.example"
    assert "access-control-allow-credentials" not in answer.headers
    assert client.request("OPTIONS", TOYS, headers=preflight | {"Origin": "https://evil.example"}).status_code == 400
    shown = client.get(TOYS, headers={"Origin": "https://grafana.example"}).headers
    assert "ETag" in shown["access-control-expose-headers"]
    assert "access-control-allow-origin" not in client.get(TOYS, headers={"Origin": "null"}).headers


async def test_every_log_line_of_a_request_carries_its_ids() -> None:
    seen: list[Any] = []

    async def tells(_: Request) -> Response:
        seen.append(add_what_is_in_hand(None, "info", {}))
        return Response()

    transport = httpx2.ASGITransport(app=window_of([One("/api/v2/x", tells)]).app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answer = await client.get("/api/v2/x", headers={"X-Correlation-ID": "c-1"})
    assert seen == [{"request_id": answer.headers["x-request-id"], "correlation_id": "c-1"}]
    assert add_what_is_in_hand(None, "info", {}) == {}


async def test_an_answer_that_breaks_off_is_in_the_log_and_ends_the_connection() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"one"
        raise ZeroDivisionError

    async def breaks(_: Request) -> Response:
        return StreamingResponse(pieces())

    app = window_of([One("/api/v2/x", breaks)]).app
    with capture_logs(processors=[add_what_is_in_hand]) as logs:
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://localhost") as client:
            with pytest.raises(ZeroDivisionError):
                await client.get("/api/v2/x", headers={"X-Correlation-ID": "c-1"})
    assert [(line["event"], line["correlation_id"]) for line in logs] == [("an answer broke off", "c-1")]


def test_defects_are_shown_to_other_sites_pages_too() -> None:
    async def fails(_: Request) -> Response:
        raise ZeroDivisionError

    client = window_of([One("/api/v2/x", fails)], origins=("https://grafana.example",))
    answer = client.get("/api/v2/x", headers={"Origin": "https://grafana.example"})
    assert answer.status_code == 500
    assert answer.headers["access-control-allow-origin"] == "https://grafana.example"


def test_what_is_not_deprecated_names_no_successor() -> None:
    async def nothing(_: Request) -> Response:
        return Response()

    answer = window_of([One("/ingest", nothing, successor="/api/v2/events")]).get("/ingest")
    assert (answer.headers["x-api-version"], answer.headers["x-api-deprecated"]) == ("1.0", "false")
    assert not {"link", "deprecation", "sunset"} & set(answer.headers)
