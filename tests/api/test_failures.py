"""What callers see when something is away or broken: a status, never a reason that is none of theirs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from api.health import FRESH_S, Readiness, State
from schemas.errors import BrokerUnavailable, MigrationRefused, StoreUnavailable
from schemas.versions import MUTT_VERSION
from tests.api.window import FakeReads, window

SECRET_WORDS = "SELECT password FROM db-host-1"


@pytest.mark.parametrize("path", ["/api/v1/audit-logs", "/api/v1/slo"])
@pytest.mark.checks("SURFACE_4")
def test_a_store_that_is_away_is_503(path: str) -> None:
    answer = window(FakeReads(fault=StoreUnavailable(SECRET_WORDS))).get(path)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert (answer.headers["x-api-version"], answer.headers["content-type"]) == ("1.0", "application/problem+json")
    assert SECRET_WORDS not in answer.text


@pytest.mark.proves("api.wrong")
@pytest.mark.checks("SURFACE_4")
def test_a_defect_is_500_with_all_headers() -> None:
    answer = window(FakeReads(fault=RuntimeError(SECRET_WORDS))).get("/api/v1/slo", headers={"X-Correlation-ID": "c-1"})
    assert answer.status_code == 500
    assert answer.json() == {"error": "internal error", "correlation_id": "c-1"}
    assert answer.headers["x-api-version"] == "1.0"
    assert {"x-request-id", "x-api-supported-versions", "deprecation"} <= set(answer.headers)


def test_health_is_liveness_alone() -> None:
    client = window(checks={"postgresql": raising(StoreUnavailable("away"))})
    assert client.get("/health").json() == {"status": "healthy", "service": "api", "version": MUTT_VERSION}


def test_ready_when_every_part_is() -> None:
    answer = window(checks={"postgresql": raising(None), "kafka": raising(None)}).get("/ready")
    assert (answer.status_code, answer.json()["status"]) == (200, "ready")
    assert [part["state"] for part in answer.json()["checks"].values()] == ["up", "up"]
    assert all(part["latency_ms"] >= 0 for part in answer.json()["checks"].values())


@pytest.mark.checks("SURFACE_2", "SURFACE_4")
def test_not_ready_names_the_part_and_no_reason() -> None:
    checks = {
        "postgresql": raising(MigrationRefused(SECRET_WORDS)),
        "kafka": raising(BrokerUnavailable(SECRET_WORDS)),
    }
    answer = window(checks=checks).get("/ready")
    assert (answer.status_code, answer.json()["status"]) == (503, "not ready")
    states = {name: part["state"] for name, part in answer.json()["checks"].items()}
    assert states == {"postgresql": "schema not current", "kafka": "down"}
    assert SECRET_WORDS not in answer.text


async def test_many_who_ask_at_once_make_one_check() -> None:
    asked = 0

    async def check() -> None:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)

    now = 100.0
    readiness = Readiness({"kafka": check}, clock=lambda: now)
    found = await asyncio.gather(*(readiness.findings() for _ in range(20)))
    assert asked == 1
    assert {one["kafka"].state for one in found} == {State.UP}
    now += FRESH_S
    await readiness.findings()
    assert asked == 2


@pytest.mark.checks("SURFACE_3")
def test_metrics_have_route_templates_and_closed_reasons() -> None:
    client = window(key="k")
    client.get("/api/v1/slo?window_hours=1", headers={"X-API-KEY": "k"})
    client.get("/api/v1/slo")
    client.get("/api/v1/audit-logs?limit=0", headers={"X-API-KEY": "k"})
    client.get("/somebody/elses/path")
    lines = client.get("/metrics").text.splitlines()
    count = "mutt_webui_api_requests_total"
    assert f'{count}{{endpoint="/api/v1/slo",reason="",status="success"}} 1.0' in lines
    assert f'{count}{{endpoint="/api/v1/slo",reason="unauthorized",status="fail"}} 1.0' in lines
    assert f'{count}{{endpoint="/api/v1/audit-logs",reason="invalid",status="fail"}} 1.0' in lines
    assert f'{count}{{endpoint="none",reason="not_found",status="fail"}} 1.0' in lines
    assert 'mutt_webui_db_query_latency_seconds_count{operation="slo"} 1.0' in lines
    assert 'mutt_webui_api_latency_seconds_count{endpoint="/api/v1/slo"} 2.0' in lines


def raising(fault: Exception | None) -> Callable[[], Awaitable[None]]:
    async def check() -> None:
        if fault is not None:
            raise fault

    return check
