"""Prometheus as a source of service levels: asked seldom, not at all while it is down, and every failure named."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from api.circuit import Circuit
from api.fresh import Fresh
from api.gate import Now
from api.problem_types import ProblemType
from api.problems import Problem, retry_after
from schemas.errors import KnownDown, PrometheusTimeout, PrometheusUnavailable
from schemas.slo import Component, Objectives
from streams.core.breaker import BreakerPolicy
from streams.core.slo import windows_of
from streams.core.slo_reads import PrometheusReads, Sums

log = structlog.get_logger()

PROMETHEUS = "prometheus"
"""The circuit's name."""
POLICY = BreakerPolicy(threshold=3, timeout_s=15.0)
HOLDS_S = 15.0
"""What it said holds so long: it learns no more often itself."""

UNSET = "PROMETHEUS_URL is not set for this API; ask with source=database"


@dataclass(frozen=True, slots=True)
class Told:
    """What Prometheus said, and when."""

    at: dt.datetime
    sums: Mapping[Component, Sums]


class PrometheusSource:
    """Without `reads` there is none, and callers are told so."""

    def __init__(self, reads: PrometheusReads | None, objectives: Objectives, circuit: Circuit, now: Now) -> None:
        self._reads = reads
        self._wanted = {objective: windows_of(objective) for objective in objectives.values()}
        self._circuit = circuit
        self._now = now
        self._told = Fresh(self._ask, holds_s=HOLDS_S)

    async def told(self) -> Told:
        """Raises Problem: 409 unset, 502 no answer that can be used, 503 known to be down, 504 none in time."""
        try:
            return await self._told.get()
        except KnownDown as down:
            wait = {"Retry-After": str(retry_after(down))}
            raise Problem(ProblemType.SOURCE_DOWN, "Prometheus failed several times just now", headers=wait) from None
        except PrometheusTimeout as late:
            raise Problem(ProblemType.SOURCE_LATE, str(late)) from None
        except PrometheusUnavailable as failed:
            raise Problem(ProblemType.SOURCE_FAILED, str(failed)) from None

    async def _ask(self) -> Told:
        if self._reads is None:
            raise Problem(ProblemType.NO_SOURCE, UNSET)
        with self._circuit.asked():
            return Told(self._now(), await self._reads.levels(self._wanted))
