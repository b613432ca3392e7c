"""Which answers count for the API's own objective, and that Prometheus is told the same."""

from __future__ import annotations

import re

import pytest
from prometheus_client.exposition import generate_latest

from api.metrics import ApiMetrics
from schemas.slo import Component, objectives
from streams.metrics import REGISTRY

COUNTS = [
    ("/api/v2/slo", 200, True),
    ("/api/v2/rules/{id}", 304, True),
    ("/ingest", 503, False),
    ("/api/v1/slo", 500, False),
    ("/api/v2/slo", 502, False),
    ("/api/v2/slo", 504, False),
]
COUNTS_NOT = [("/api/v2/slo", status) for status in (400, 401, 404, 409, 410, 412, 422, 428, 429)]
PROBES = [("/health", 200), ("/ready", 503), ("/metrics", 200), ("none", 404)]


@pytest.mark.parametrize(("endpoint", "status", "good"), COUNTS)
def test_what_counts(endpoint: str, status: int, good: bool) -> None:
    judged: list[bool] = []
    metrics = ApiMetrics(judged=judged.append)
    for _ in range(2):
        metrics.answered(endpoint, status, 0.1)
    assert judged == [good] * 2
    assert counted(metrics) == (2.0 * good, 2.0)


@pytest.mark.parametrize(("endpoint", "status"), [*COUNTS_NOT, *PROBES])
def test_what_does_not_count(endpoint: str, status: int) -> None:
    judged: list[bool] = []
    metrics = ApiMetrics(judged=judged.append)
    metrics.answered(endpoint, status, 0.1)
    assert (judged, counted(metrics)) == ([], (0.0, 0.0))


def test_zeros_are_there_from_the_start() -> None:
    metrics = ApiMetrics()
    metrics.expect(["/api/v2/slo", "/health"])
    lines = [line for line in generate_latest(metrics.registry).decode().splitlines() if "requests_total{" in line]
    assert len(lines) == 3
    assert all('endpoint="/api/v2/slo"' in line and line.endswith(" 0.0") for line in lines)


def counted(metrics: ApiMetrics) -> tuple[float, float]:
    """Good and total as the objective's queries select them: their matchers, read here in other words."""
    objective = objectives()[Component.API]
    good, total = (selected(metrics, query) for query in (objective.good_query, objective.total_query))
    return good, total


def selected(metrics: ApiMetrics, query: str) -> float:
    matchers = re.findall(r'(\w+)(=~?)"([^"]*)"', query)
    found = 0.0
    for family in metrics.registry.collect():
        for sample in family.samples:
            if sample.name == "mutt_webui_api_requests_total" and all(
                re.fullmatch(text, sample.labels[label]) if sign == "=~" else sample.labels[label] == text
                for label, sign, text in matchers
            ):
                found += sample.value
    return found


def test_objectives_ask_for_metrics_that_there_are() -> None:
    families = [family.name for registry in (REGISTRY, ApiMetrics().registry) for family in registry.collect()]
    for objective in objectives().values():
        for query in (objective.good_query, objective.total_query):
            assert set(re.findall(r"mutt_\w+", query)) <= {f"{name}_total" for name in families}
