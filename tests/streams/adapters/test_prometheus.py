"""Prometheus as it must not be trusted to behave: slow, endless, redirecting, away, or saying something else."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from schemas.errors import PrometheusTimeout, PrometheusUnavailable
from schemas.slo import Component, objectives
from streams.adapters.prometheus import ANSWER_LIMIT, Prometheus, question, sums_of
from streams.core.slo import Indicator

HOUR = dt.timedelta(hours=1)
API = objectives()[Component.API]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def vector(*values: tuple[int, str]) -> bytes:
    result = [{"metric": {"mutt_number": str(number)}, "value": [1.5, value]} for number, value in values]
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}).encode()


@asynccontextmanager
async def answering(handler: Handler, path: str = "/api/v1/query") -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post(path, handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def levels(url: str, timeout_s: float = 5.0) -> Any:
    return (await Prometheus(url, timeout_s=timeout_s).levels({API: (HOUR,)}))[Component.API][HOUR]


async def refused(handler: Handler, timeout_s: float = 5.0) -> PrometheusUnavailable:
    async with answering(handler) as url:
        with pytest.raises(PrometheusUnavailable) as failed:
            await levels(url, timeout_s)
    return failed.value


async def test_all_is_asked_in_one_question_below_the_given_path() -> None:
    asked: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        form = await request.post()
        asked.append(str(form["query"]))
        assert form["timeout"] == "5s"
        return web.Response(body=vector((0, "99.5"), (1, "100")))

    async with answering(handler, "/prom/api/v1/query") as url:
        assert await levels(f"{url}/prom/") == Indicator(99.5, 100.0)
    good, total = API.queries(HOUR)
    assert asked == [question([good, total])]
    assert "[3600s]" in asked[0]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((), Indicator(0.0, 0.0)),
        (((1, "7"),), Indicator(0.0, 7.0)),
        (((0, "7.1"), (1, "7")), Indicator(7.0, 7.0)),  # extrapolated beyond the total
        (((0, "NaN"), (1, "+Inf")), Indicator(0.0, 0.0)),
    ],
)
async def test_what_is_not_there_has_no_data(values: tuple[tuple[int, str], ...], expected: Indicator) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(body=vector(*values))

    async with answering(handler) as url:
        assert await levels(url) == expected


@pytest.mark.parametrize(
    "body",
    [
        b"", b"<html>", b"[]", b'{"status":"error","error":"x"}', vector().replace(b"vector", b"matrix"),
        vector().replace(b"[]", b'[{"metric":{},"value":[1,"1"]}]'), vector((0, "many")),
        vector().replace(b"[]", b'[{"metric":{"mutt_number":"x"},"value":[1,"1"]}]'),
    ],
)  # fmt: skip
def test_answers_of_another_form_are_none(body: bytes) -> None:
    with pytest.raises(PrometheusUnavailable, match="another form"):
        sums_of(body)


@pytest.mark.parametrize("status", [302, 400, 401, 422, 503])
@pytest.mark.checks("EGRESS_3")
async def test_other_statuses_are_named_and_redirects_not_followed(status: int) -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Location": "/api/v1/query"}, body=vector())

    assert str(await refused(handler)) == f"Prometheus answered with status {status}"


async def test_an_answer_without_end_is_cut() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(ANSWER_LIMIT // 1024 + 2):
            await response.write(b" " * 1024)
        return response

    assert f"more than {ANSWER_LIMIT} bytes" in str(await refused(handler))


async def test_no_answer_in_time_is_a_timeout() -> None:
    async def handler(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    assert isinstance(await refused(handler, timeout_s=0.2), PrometheusTimeout)


async def test_nobody_there() -> None:
    with pytest.raises(PrometheusUnavailable, match="cannot be reached"):
        await levels("http://127.0.0.1:1")
