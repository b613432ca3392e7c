"""/api/v2/slo: every objective, its burn rates and maintenance, from the database or from Prometheus."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.app import resources
from api.prometheus_source import POLICY
from schemas.errors import PrometheusTimeout, PrometheusUnavailable, StoreUnavailable
from schemas.slo import Component
from streams.core.slo import Indicator
from streams.core.slo_reads import Point
from streams.core.slo_windows import Maintenance
from tests.api.window import NOW, ports_of, window_of
from tests.fakes_slo import FakePrometheus, FakeSlo

PATH = "/api/v2/slo"
PROMETHEUS = {"source": "prometheus"}


def window(**ports: Any) -> TestClient:
    return window_of(resources(ports_of(**ports)))


def maintenance(component: Component | None, starts: float, ends: float) -> Maintenance:
    """Hours from now."""
    return Maintenance(
        7, component, NOW + dt.timedelta(hours=starts), NOW + dt.timedelta(hours=ends), "upgrade", "ann", NOW, 1
    )


def by_name(body: Any) -> dict[str, Any]:
    return {item["name"]: item for item in body["items"]}


def test_every_objective_with_budget_burn_rates_and_time_left() -> None:
    slo = FakeSlo(sums={Component.INGESTOR: Indicator(9975, 10_000), Component.AUDIT: Indicator(0, 3)})
    body = window(slo=slo).get(PATH).json()
    assert (body["source"], body["maintenance_excluded"]) == ("database", True)
    found = by_name(body)
    assert list(found) == [
        "ingest-availability", "alert-delivery", "alert-latency", "audit-completeness", "api-availability",
    ]  # fmt: skip
    ingest = found["ingest-availability"]
    assert (ingest["state"], ingest["burn_rate"], ingest["error_budget_remaining"]) == ("ok", 0.5, 0.5)
    assert (ingest["good"], ingest["total"], ingest["window"], ingest["exhausted_in_seconds"]) == (
        9975, 10_000, "30d", None,
    )  # fmt: skip
    assert ingest["burn_rates"][0] == {
        "long_window": "1h",
        "short_window": "5m",
        "above": 14.4,
        "severity": "page",
        "long": 0.5,
        "short": 0.5,
        "firing": False,
    }
    lost = found["audit-completeness"]
    assert (lost["state"], lost["availability"], lost["exhausted_in_seconds"]) == ("critical", 0.0, 0)
    assert [rate["firing"] for rate in lost["burn_rates"]] == [True] * 4


def test_without_traffic_the_state_is_no_data() -> None:
    for item in window().get(PATH).json()["items"]:
        assert (item["state"], item["availability"], item["error_budget_remaining"]) == ("no_data", None, 1)
        assert {rate["long"] for rate in item["burn_rates"]} == {None}


def test_maintenance_is_shown_where_it_was_declared() -> None:
    slo = FakeSlo(declared=(maintenance(None, -2, -1), maintenance(Component.AUDIT, -3, 5)))
    found = by_name(window(slo=slo).get(PATH).json())
    assert [each["component"] for each in found["audit-completeness"]["maintenance"]] == [None, "audit"]
    assert [each["reason"] for each in found["api-availability"]["maintenance"]] == ["upgrade"]


@pytest.mark.parametrize("query", ["source=grafana", "source=", "source=database&source=database", "hours=1"])
def test_other_questions_are_422(query: str) -> None:
    assert window().get(f"{PATH}?{query}").status_code == 422


def test_prometheus_answers_the_same_shape_and_is_not_asked_again_at_once() -> None:
    prometheus = FakePrometheus(sums={Component.API: Indicator(99.5, 100.0)})
    client = window(prometheus=prometheus, slo=FakeSlo(declared=(maintenance(None, -2, -1),)))
    for _ in range(3):
        body = client.get(PATH, params=PROMETHEUS).json()
    assert (body["source"], body["maintenance_excluded"], prometheus.asked) == ("prometheus", False, 1)
    api = by_name(body)["api-availability"]
    assert (api["availability"], api["state"], len(api["maintenance"])) == (0.995, "critical", 1)


@pytest.mark.parametrize(
    ("fault", "status", "slug"),
    [
        (PrometheusUnavailable("Prometheus cannot be reached"), 502, "source-failed"),
        (PrometheusTimeout("Prometheus did not answer within 5 s"), 504, "source-late"),
    ],
)
def test_what_failed_is_named_and_soon_nobody_is_asked(fault: Exception, status: int, slug: str) -> None:
    prometheus = FakePrometheus(fault=fault)
    client = window(prometheus=prometheus)
    for _ in range(POLICY.threshold):
        answer = client.get(PATH, params=PROMETHEUS)
        assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{slug}")
        assert answer.json()["detail"] == str(fault)
    down = client.get(PATH, params=PROMETHEUS)
    assert (down.status_code, down.json()["type"]) == (503, "/problems/source-down")
    assert 1 <= int(down.headers["retry-after"]) <= POLICY.timeout_s
    assert prometheus.asked == POLICY.threshold
    assert client.get(PATH).status_code == 200


def test_prometheus_that_is_not_set_up() -> None:
    answer = window().get(PATH, params=PROMETHEUS)
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/no-source")
    assert "PROMETHEUS_URL" in answer.json()["detail"]


def test_a_store_that_is_away_is_503() -> None:
    assert window(slo=FakeSlo(fault=StoreUnavailable("x"))).get(PATH).status_code == 503


def test_the_course_of_a_burn_rate() -> None:
    hour = dt.timedelta(hours=1)
    points = [Point(NOW - 3 * hour, Indicator(99, 100)), Point(NOW - 2 * hour, Indicator(0, 1))]
    slo = FakeSlo(points=points, declared=(maintenance(Component.FORWARDER, -1.95, -1),))
    body = window(slo=slo).get(f"{PATH}/alert-delivery/burn", params={"hours": 168}).json()
    assert (body["objective"], body["hours"], body["step_seconds"]) == ("alert-delivery", 168, 3600)
    assert [(point["burn_rate"], point["maintenance"]) for point in body["points"]] == [(1.0, False), (100.0, True)]


@pytest.mark.parametrize(("hours", "step"), [(1, 300), (24, 300), (25, 3600), (168, 3600), (169, 21600), (720, 21600)])
def test_a_series_never_has_many_points(hours: int, step: int) -> None:
    body = window().get(f"{PATH}/alert-delivery/burn", params={"hours": hours}).json()
    assert body["step_seconds"] == step
    assert hours * 3600 / step <= 288


def test_an_objective_that_is_not_there() -> None:
    answer = window().get(f"{PATH}/uptime/burn")
    assert answer.status_code == 404
    assert "audit-completeness" in answer.json()["detail"]
