"""What every request goes through: keys, versions, ids, sizes, methods."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest

from tests.api.window import KEY, FakeReads, window

SLO = "/api/v1/slo"


def header(name: str, value: bytes | str) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value if isinstance(value, bytes) else value.encode())]


ACCEPTED = [
    header("X-API-KEY", KEY),
    header("Authorization", f"Bearer {KEY}"),
    header("Authorization", f"bearer  {KEY}"),
    header("X-API-KEY", KEY) + header("Authorization", "Basic eDp5"),
]
UNAUTHORIZED = [
    [],
    header("X-API-KEY", ""),
    header("X-API-KEY", KEY[:-1]),
    header("X-API-KEY", KEY + "x"),
    header("X-API-KEY", "k\xe9y".encode("latin-1")),
    header("X-API-KEY", KEY) * 2,
    header("X-API-KEY", "wrong") + header("Authorization", f"Bearer {KEY}"),
    header("Authorization", "Bearer"),
    header("Authorization", "Bearer "),
    header("Authorization", KEY),
    header("Authorization", f"Basic {KEY}"),
    header("Authorization", f"Bearer {KEY}") * 2,
    header("Authorization", "Bearer k\u00e9y"),
]


@pytest.mark.parametrize("headers", ACCEPTED)
def test_the_key_opens(headers: list[tuple[bytes, bytes]]) -> None:
    assert window(key=KEY).get(SLO, headers=headers).status_code == 200


def test_a_key_of_other_letters_opens_too() -> None:
    assert window(key="kéy").get(SLO, headers=header("X-API-KEY", "kéy")).status_code == 200
    assert window(key="k?y").get(SLO, headers=header("X-API-KEY", b"k\xe9y")).status_code == 401


@pytest.mark.parametrize("headers", UNAUTHORIZED)
def test_everything_else_is_401_and_echoes_nothing(headers: list[tuple[bytes, bytes]]) -> None:
    reads = FakeReads()
    answer = window(reads, key=KEY).get(SLO, headers=headers)
    assert answer.status_code == 401
    assert set(answer.json()) == {"error", "correlation_id"}
    assert answer.headers["www-authenticate"] == "Bearer"
    assert KEY not in answer.text
    assert reads.asked == []


@pytest.mark.parametrize("key", [KEY, None])
@pytest.mark.checks("KEY_5")
def test_a_key_in_the_url_is_401_even_beside_a_good_one(key: str | None) -> None:
    answer = window(key=key).get(f"{SLO}?api_key={KEY}", headers={"X-API-KEY": KEY})
    assert answer.status_code == 401
    assert KEY not in answer.text


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/api/v2/rules", "/api/", "/api/v1/audit-logs"])
def test_without_key_nobody_learns_what_is_there(path: str) -> None:
    assert window(key=KEY).get(path).status_code == 401
    assert window(key=KEY).post(path).status_code == 401


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics"])
def test_probes_need_no_key(path: str) -> None:
    assert window(key=KEY).get(path).status_code == 200


V1_ANSWERS = [
    ("GET", SLO, 200),
    ("GET", "/api/v1/nothing", 404),
    ("POST", SLO, 405),
    ("GET", f"{SLO}?window_hours=0", 422),
]


@pytest.mark.parametrize(("method", "path", "status"), V1_ANSWERS)
def test_every_v1_answer_says_that_it_is_old(method: str, path: str, status: int) -> None:
    answer = window().request(method, path)
    assert answer.status_code == status
    assert answer.headers["x-api-version"] == "1.0"
    assert answer.headers["x-api-supported-versions"] == "2.0, 1.0"
    assert answer.headers["x-api-deprecated"] == "true"
    deprecated = int(answer.headers["deprecation"].removeprefix("@"))
    sunset = dt.datetime.strptime(answer.headers["sunset"], "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=dt.UTC)
    assert sunset - dt.datetime.fromtimestamp(deprecated, dt.UTC) >= dt.timedelta(days=365)
    target, _, relation = answer.headers["link"].partition("; ")
    assert target == path.partition("?")[0].replace("v1", "v2").join("<>")
    assert relation == 'rel="successor-version"'
    uuid.UUID(answer.headers["x-request-id"])


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/health"), ("GET", "/nothing"), ("POST", "/health"), ("GET", "/api/v2/x")]
)
def test_other_answers_name_the_current_version(method: str, path: str) -> None:
    headers = window().request(method, path).headers
    assert (headers["x-api-version"], headers["x-api-supported-versions"]) == ("2.0", "2.0, 1.0")
    assert headers["x-api-deprecated"] == "false"
    assert "x-request-id" in headers
    assert not {"deprecation", "sunset", "link"} & set(headers)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "TRACE", "PROPFIND", "X"])
def test_other_methods_are_405_with_allow(method: str) -> None:
    answer = window().request(method, SLO, headers={"X-HTTP-Method-Override": "GET"})
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert set(answer.json()) == {"error", "correlation_id"}


def test_outside_v1_errors_are_problems() -> None:
    answer = window().get("/nothing")
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.json()["status"], answer.json()["type"]) == (404, "/problems/not-found")


@pytest.mark.parametrize("asked", ["1", "1.0", "2.0", "2.5", "v1", "v1.0", "v2.0", "v2.5"])
@pytest.mark.parametrize("name", ["Accept-Version", "X-API-Version"])
def test_versions_that_v1_answers(name: str, asked: str) -> None:
    assert window().get(SLO, headers={name: asked}).status_code == 200
    assert window().get(SLO, params={"api_version": asked}).status_code == 200


@pytest.mark.parametrize("asked", ["3", "3.0", "2", "1.1", "latest", "", "1, 2"])
def test_unknown_versions_are_406(asked: str) -> None:
    answer = window(key=KEY).get(SLO, headers={"Accept-Version": asked, "X-API-Version": "1.0"})
    assert answer.status_code == 406
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-api-version"] == "1.0"


def test_the_header_goes_before_the_query() -> None:
    assert window().get(f"{SLO}?api_version=9", headers={"Accept-Version": "1.0"}).status_code == 200
    assert window().get(f"{SLO}?api_version=9").status_code == 406


def test_v2_paths_know_other_names() -> None:
    assert window().get("/api/v2/nothing", headers={"Accept-Version": "2.5"}).status_code == 406
    assert window().get("/api/v2/nothing", headers={"Accept-Version": "2"}).status_code == 404


def test_after_the_sunset_v1_is_gone() -> None:
    sunset = dt.datetime.strptime(window().get(SLO).headers["sunset"], "%a, %d %b %Y %H:%M:%S GMT").replace(
        tzinfo=dt.UTC
    )
    assert window(now=sunset - dt.timedelta(seconds=1)).get(SLO).status_code == 200
    client = window(now=sunset)
    gone = client.get(SLO)
    assert (gone.status_code, gone.headers["content-type"]) == (410, "application/problem+json")
    assert "link" in gone.headers
    assert client.get("/health").status_code == 200


@pytest.mark.parametrize("given", ["a", "0af7651916cd43dd8448eb211c80319c", "!~" * 32])
def test_correlation_ids_are_taken_over(given: str) -> None:
    answer = window().get("/api/v1/nothing", headers={"X-Correlation-ID": given})
    assert answer.headers["x-correlation-id"] == given == answer.json()["correlation_id"]


@pytest.mark.parametrize("given", [b"", b"a b", b"a\tb", b"a" * 65, b"a" * 10_240, "é".encode(), b"a\x7f"])
def test_other_correlation_ids_are_replaced(given: bytes) -> None:
    answer = window().get("/api/v1/nothing", headers=header("X-Correlation-ID", given))
    uuid.UUID(answer.headers["x-correlation-id"])
    assert answer.json()["correlation_id"] == answer.headers["x-correlation-id"]


def test_what_is_too_large_is_refused_before_it_is_looked_at() -> None:
    client = window(key=KEY)
    assert client.get(SLO, headers={"Authorization": "Bearer " + "a" * 100_000}).status_code == 431
    assert client.get("/api/v1/" + "a" * 8192).status_code == 414
    assert client.get(f"{SLO}?q={'a' * 10_000}").status_code == 414
