"""Bodies: what is read of them, and what is told of one that is wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.requests import Request

from api.bodies import bounded
from api.problem_types import ProblemType
from api.problems import Problem
from api.routes import MOST_BODY
from tests.api.toys import TOYS, Toys
from tests.api.window import window_of

JSON = {"Content-Type": "application/json"}


def post(body: bytes | Iterator[bytes], headers: dict[str, str] | None = None) -> Any:
    return window_of([Toys()]).post(TOYS, content=body, headers=JSON if headers is None else headers)


def faults(answer: Any) -> dict[str, str]:
    return {fault["pointer"]: fault["detail"] for fault in answer.json()["errors"]}


@pytest.mark.parametrize("headers", [{}, JSON])
def test_A1_an_empty_body_is_400(headers: dict[str, str]) -> None:
    assert post(b"", headers).status_code == 400


MALFORMED = [
    (b"{", ""),
    (b" \n", ""),
    (b"nul", ""),
    (b'{"name":"a"} x', ""),
    (b'{"name":"a","wheels":NaN}', ""),
    (b'{"name":"a","wheels":01}', ""),
    (b'{"name":"\\ud800"}', ""),
    (b'{"name":"caf\xe9"}', ""),
    ('{"name":"é"}'.encode("utf-16"), ""),
    (b'{"name":' + b"[" * 65, ""),
    (b'{"name":' + b"[" * 100_000 + b"]" * 100_000 + b"}", ""),
    (b'{"name":"a","x":' + b"[" * 64 + b"]" * 64 + b"}", ""),
    (b'{"name":"a","name":"b"}', "/name"),
    (b'{"name":"a","n\\u0061me":"b"}', "/name"),
    (b'{"x":[{"a/b":1,"a/b":2}]}', "/x/0/a~1b"),
]


@pytest.mark.parametrize(("body", "pointer"), MALFORMED, ids=range(len(MALFORMED)))
def test_A4_what_is_no_strict_json_is_400_with_its_place(body: bytes, pointer: str) -> None:
    answer = post(body)
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/malformed")
    assert list(faults(answer)) == [pointer]


def test_A4_a_byte_order_mark_and_other_white_space_are_read() -> None:
    assert post(b'\xef\xbb\xbf {\t"name" : "caf\xc3\xa9"}\r\n').json()["name"] == "café"


VALUES: list[tuple[object, set[str]]] = [
    ([], {""}),
    ("name", {""}),
    ({}, {"/name"}),
    ({"name": None}, {"/name"}),
    ({"name": "a", "wheels": "4"}, {"/wheels"}),
    ({"name": "a", "wheels": 4.5}, {"/wheels"}),
    ({"name": "a", "wheels": True}, {"/wheels"}),
    ({"name": "a", "wheels": 10**30}, {"/wheels"}),
    (
        {"name": "x" * 21, "wheels": -1, "id": 1, "created_by": "me", "a/b": 0},
        {"/name", "/wheels", "/id", "/created_by", "/a~1b"},
    ),
]


@pytest.mark.parametrize(("value", "pointers"), VALUES)
def test_A5_all_that_is_wrong_is_told_at_once(value: object, pointers: set[str]) -> None:
    answer = post(json.dumps(value).encode())
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/validation")
    assert set(faults(answer)) == pointers


@pytest.mark.parametrize(
    "given",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "application/jsonx"],
)
def test_A1_A3_other_media_types_are_415(given: str) -> None:
    answer = post(b'{"name":"a"}', {"Content-Type": given})
    assert (answer.status_code, answer.headers["accept"]) == (415, "application/json")


def test_A1_a_body_of_no_named_type_is_415() -> None:
    assert post(b'{"name":"a"}', {}).status_code == 415


@pytest.mark.parametrize("given", ["application/json; charset=utf-8", "Application/JSON", "application/json;x=y"])
def test_parameters_of_the_type_do_not_matter(given: str) -> None:
    assert post(b'{"name":"a"}', {"Content-Type": given}).status_code == 201


def test_A2_encoded_bodies_are_415() -> None:
    assert post(b"\x1f\x8b", JSON | {"Content-Encoding": "gzip"}).status_code == 415
    assert post(b'{"name":"a"}', JSON | {"Content-Encoding": "identity"}).status_code == 201


def test_A2_reading_stops_at_the_bound() -> None:
    """Asked through ASGI, since the client of tests reads a whole body before it sends any."""
    taken = 0

    async def endless() -> dict[str, Any]:
        nonlocal taken
        taken += 1
        return {"type": "http.request", "body": b" " * 65536, "more_body": True}

    client = window_of([Toys()])
    status = ask(client.app, endless, JSON)
    assert status == 413
    assert taken == MOST_BODY // 65536 + 1


def test_A2_a_length_beyond_the_bound_is_not_read_at_all() -> None:
    async def never() -> dict[str, Any]:
        raise AssertionError("was read")

    client = window_of([Toys()])
    assert ask(client.app, never, JSON | {"Content-Length": str(MOST_BODY + 1)}) == 413


def test_A2_a_body_of_just_the_bound_is_read() -> None:
    body = b'{"name":"a"}'
    assert post(body + b" " * (MOST_BODY - len(body))).status_code == 201
    assert post(body + b" " * (MOST_BODY - len(body) + 1)).status_code == 413


def test_A1_two_answers_to_where_the_body_ends_are_400() -> None:
    async def never() -> dict[str, Any]:
        raise AssertionError("was read")

    client = window_of([Toys()])
    assert ask(client.app, never, JSON | {"Content-Length": "1", "Transfer-Encoding": "chunked"}) == 400


async def test_A13_a_body_that_does_not_come_is_408() -> None:
    begun = iter([{"type": "http.request", "body": b'{"name"', "more_body": True}])

    async def stalls() -> Any:
        message = next(begun, None)
        return message or await asyncio.Event().wait()

    request = Request({"type": "http", "method": "POST", "headers": []}, stalls)
    with pytest.raises(Problem, match=r"0\.05 s") as caught:
        await bounded(request, MOST_BODY, within_s=0.05)
    assert caught.value.type is ProblemType.LATE


def ask(app: Any, receive: Any, headers: dict[str, str]) -> int:
    """The status of a POST whose body comes from `receive`."""
    seen: list[int] = []

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            seen.append(message["status"])

    raw = [(name.lower().encode(), value.encode()) for name, value in {"Host": "localhost", **headers}.items()]
    scope = {
        "type": "http",
        "method": "POST",
        "path": TOYS,
        "raw_path": TOYS.encode(),
        "query_string": b"",
        "headers": raw,
        "client": ("127.0.0.1", 1),
    }
    asyncio.run(app(scope, receive, send))
    return seen[0]
