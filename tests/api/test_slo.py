"""GET /api/v1/slo: shape, window, no traffic."""

from __future__ import annotations

import datetime as dt

import pytest
from starlette.testclient import TestClient

from api.app import resources
from schemas.slo import Component
from streams.core.slo import Indicator
from tests.api.window import ports_of, window_of
from tests.fakes_slo import FakeSlo

PATH = "/api/v1/slo"


def window(slo: FakeSlo | None = None) -> TestClient:
    return window_of(resources(ports_of(slo=slo or FakeSlo())))


def test_documented_shape() -> None:
    slo = FakeSlo(
        sums={
            Component.INGESTOR: Indicator(990, 1000),
            Component.FORWARDER: Indicator(199, 200),
            Component.API: Indicator(1, 2),
        }
    )
    assert window(slo).get(PATH).json() == {
        "window_hours": 24,
        "components": {
            "ingestor": {
                "target": 0.995,
                "availability": 0.99,
                "error_budget_remaining": -1.0,
                "burn_rate": 2.0,
                "state": "warn",
                "window_hours": 24,
            },
            "forwarder": {
                "target": 0.99,
                "availability": 0.995,
                "error_budget_remaining": 0.5,
                "burn_rate": 0.5,
                "state": "ok",
                "window_hours": 24,
            },
        },
    }


def test_no_traffic_is_no_violation() -> None:
    for component in window().get(PATH).json()["components"].values():
        assert component["availability"] is None
        assert (component["burn_rate"], component["error_budget_remaining"], component["state"]) == (0, 1, "ok")


def test_window_is_the_callers_or_the_configured_one() -> None:
    slo = FakeSlo(window=48)
    client = window(slo)
    assert client.get(PATH).json()["window_hours"] == 48
    assert client.get(PATH, params={"window_hours": 720}).json()["components"]["forwarder"]["window_hours"] == 720
    assert [asked[Component.INGESTOR] for asked in slo.asked] == [
        (dt.timedelta(hours=48),),
        (dt.timedelta(hours=720),),
    ]


@pytest.mark.parametrize("text", ["0", "721", "-1", "", "1.5", "24h", "1&window_hours=2"])
def test_windows_out_of_bounds_are_422(text: str) -> None:
    answer = window().get(f"{PATH}?window_hours={text}")
    assert answer.status_code == 422
    assert "window_hours" in answer.json()["error"]
