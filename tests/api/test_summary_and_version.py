"""Rates and versions, in the documented v1 shapes and in v2."""

from __future__ import annotations

import datetime as dt

from starlette.testclient import TestClient

from api.app import resources
from schemas.versions import MUTT_VERSION
from streams.core.slo import Indicator
from streams.core.slo_reads import Point
from tests.api.window import NOW, ports_of, window_of
from tests.fakes_slo import FakeSlo

MINUTE = dt.timedelta(minutes=1)


def window(slo: FakeSlo) -> TestClient:
    return window_of(resources(ports_of(slo=slo)))


def test_rates_as_v1_shows_them() -> None:
    slo = FakeSlo(points=[Point(NOW - MINUTE, Indicator(30, 30))])
    body = window(slo).get("/api/v1/metrics").json()
    assert body["summary"] == {"current_rate_1m": 30.0, "avg_rate_15m": 2.0, "avg_rate_1h": 0.5}
    assert body["chart_24h"]["labels"] == [f"{hour:02}:00" for hour in [*range(13, 24), *range(13)]]
    assert body["chart_24h"]["data"] == [0.0] * 24


def test_rates_of_v2_and_one_question_for_all_who_ask() -> None:
    slo = FakeSlo(points=[Point(NOW - 60 * MINUTE, Indicator(0, 90))])
    client = window(slo)
    body = client.get("/api/v2/metrics/summary").json()
    client.get("/api/v1/metrics")
    assert len(slo.asked) == 2
    assert (body["last_minute"], body["mean_hour"]) == (0.0, 1.5)
    assert body["hours"][-2] == {"at": "2026-09-01T11:00:00Z", "events_per_minute": 1.5}


def test_versions() -> None:
    client = window(FakeSlo())
    v1 = client.get("/api/v1/version").json()
    assert set(v1) == {"current_version", "default_version", "supported_versions", "version_history"}
    assert (v1["current_version"], v1["supported_versions"]) == ("2.0", ["2.0", "1.0"])
    assert v1["version_history"]["1.0"] == {
        "released": "2025-07-01",
        "status": "deprecated",
        "changes": ["Rules, hosts, teams, configuration, audit, objectives and ingest."],
        "deprecated_in": "2.0",
        "removal_date": "2027-07-01",
    }
    assert set(v1["version_history"]["2.0"]) == {"released", "status", "changes"}
    assert client.get("/api/v2/version").json() == v1 | {"mutt_version": MUTT_VERSION}
