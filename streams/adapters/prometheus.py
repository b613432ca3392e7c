"""Service levels from Prometheus: one question for all of them, bounded in time and size."""

from __future__ import annotations

import asyncio
import datetime as dt
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import aiohttp
import msgspec
from msgspec import Struct

from schemas.errors import PrometheusTimeout, PrometheusUnavailable
from schemas.slo import Component, Objective
from streams.adapters.egress import open_session
from streams.core.slo import Indicator
from streams.core.slo_reads import Sums

TIMEOUT_S = 5.0
ANSWER_LIMIT = 256 * 1024
"""Bytes: what is asked for takes less than a tenth."""

_NUMBER = "mutt_number"
"""The label that says which expression a sample answers."""


class _Sample(Struct):
    metric: dict[str, str]
    value: tuple[float, str]


class _Vector(Struct):
    resultType: Literal["vector"]  # noqa: N815 (as Prometheus writes it)
    result: list[_Sample]


class _Answer(Struct):
    status: Literal["success"]
    data: _Vector


class Prometheus:
    """Implements PrometheusReads."""

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self._url = f"{url.rstrip('/')}/api/v1/query"
        self._timeout_s = timeout_s

    async def levels(self, wanted: Mapping[Objective, Sequence[dt.timedelta]]) -> Mapping[Component, Sums]:
        places = [(objective, length) for objective, lengths in wanted.items() for length in lengths]
        expressions = [query for objective, length in places for query in objective.queries(length)]
        values = sums_of(await self._ask(question(expressions)))
        found: dict[Component, dict[dt.timedelta, Indicator]] = {objective.component: {} for objective in wanted}
        for number, (objective, length) in enumerate(places):
            good, total = values.get(2 * number, 0.0), values.get(2 * number + 1, 0.0)
            found[objective.component][length] = Indicator(min(good, total), total)
        return found

    async def _ask(self, query: str) -> bytes:
        """The body of a good answer. Raises PrometheusUnavailable."""
        form = {"query": query, "timeout": f"{self._timeout_s:g}s"}
        try:
            async with asyncio.timeout(self._timeout_s), open_session(self._timeout_s, connections=1) as session:
                response = await session.post(
                    self._url, data=form, headers={"Accept-Encoding": "identity"}, allow_redirects=False
                )
                if response.status != 200:
                    raise PrometheusUnavailable(f"Prometheus answered with status {response.status}")
                return await _bounded(response)
        except TimeoutError as error:
            raise PrometheusTimeout(f"Prometheus did not answer within {self._timeout_s:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise PrometheusUnavailable("Prometheus cannot be reached") from error


def question(expressions: Sequence[str]) -> str:
    """All of them in one: each has at most one sample without labels, which gets its number."""
    return " or ".join(
        f'label_replace({expression}, "{_NUMBER}", "{number}", "", "")' for number, expression in enumerate(expressions)
    )


def sums_of(body: bytes) -> dict[int, float]:
    """The samples by number; what is not there, or no number, has no data. Raises PrometheusUnavailable."""
    try:
        answer = msgspec.json.decode(body, type=_Answer)
        values = {int(each.metric[_NUMBER]): float(each.value[1]) for each in answer.data.result}
    except (msgspec.DecodeError, KeyError, ValueError) as error:
        raise PrometheusUnavailable("Prometheus gave an answer of another form") from error
    return {number: value for number, value in values.items() if math.isfinite(value) and value >= 0.0}


async def _bounded(response: Any) -> bytes:
    body = bytearray()
    async for part in response.content.iter_any():
        body += part
        if len(body) > ANSWER_LIMIT:
            raise PrometheusUnavailable(f"Prometheus gave an answer of more than {ANSWER_LIMIT} bytes")
    return bytes(body)
