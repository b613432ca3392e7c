"""The file of objectives: what is in it, and what is refused."""

from __future__ import annotations

import datetime as dt
from importlib import resources

import pytest

from schemas.errors import ObjectivesRefused
from schemas.slo import Component, objectives, read_objectives

TEXT = resources.files("schemas").joinpath("objectives.yaml").read_text(encoding="utf-8")


def refused(text: str) -> str:
    with pytest.raises(ObjectivesRefused) as error:
        read_objectives(text)
    return str(error.value)


def test_every_component_has_its_objective() -> None:
    found = objectives()
    assert {name: (one.name, one.target) for name, one in found.items()} == {
        Component.INGESTOR: ("ingest-availability", 0.995),
        Component.FORWARDER: ("alert-delivery", 0.99),
        Component.ALERT_LATENCY: ("alert-latency", 0.99),
        Component.AUDIT: ("audit-completeness", 0.9999),
        Component.API: ("api-availability", 0.999),
    }
    assert {one.window for one in found.values()} == {dt.timedelta(days=30)}
    assert found[Component.ALERT_LATENCY].within_s == 60.0


def test_queries_take_their_window() -> None:
    good, total = objectives()[Component.FORWARDER].queries(dt.timedelta(minutes=5))
    assert good == 'sum(increase(mutt_moog_requests_total{status="success"}[300s]))'
    assert total == "sum(increase(mutt_moog_requests_total[300s]))"


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ("target: 0.995", "target: 1.0", "Expected `float` < 1.0"),
        ("target: 0.995", "target: 0", "Expected `float` > 0.0"),
        ("target: 0.995", "target: '0.9'", "Expected `float`, got `str`"),
        ("target: 0.995", "target: 0.9\n      value: 3", "unknown field `value`"),
        ("duration: 30d", "duration: 31d", "at most 30d"),
        ("duration: 30d", "duration: 1M", "Expected `str` matching regex"),
        ("isRolling: true", "isRolling: false", "Invalid enum value False"),
        ("openslo/v1", "openslo/v2", "Invalid enum value 'openslo/v2'"),
        ("mutt/component: audit", "mutt/component: audits", "must be one of ingestor, forwarder"),
        ("mutt/component: audit", "mutt/component: api", "api has an objective already"),
        ("name: audit-completeness\n  displayName", "name: alert-delivery\n  displayName", "stands there twice"),
        ("mutt/component: audit", "mutt/component: audit\n    mutt/other: x", "'mutt/other' is not read"),
        ('    mutt/within-seconds: "60"\n', "", "mutt/within-seconds belongs to the component alert_latency"),
        ('"60"', '"1.5"', "whole number of seconds"),
        ("[{{.window}}]))", "[5m]))", "must hold [{{.window}}]"),
        ("[{{.window}}]))", "[{{.window}}]{{.other}}))", "no other template"),
        ("kind: SLO", "kind: SLO\nkind: SLO", "stands there twice: 'kind'"),
        ("service: mutt", "service: &a mutt\n  x: *a", "aliases"),
        ("service: mutt", "service: !!python/name:os.system", "tags"),
        ("service: mutt", "service: [", "YAML"),
    ],
)
def test_what_is_refused_and_where(before: str, after: str, why: str) -> None:
    assert before in TEXT
    message = refused(TEXT.replace(before, after, 1))
    assert why in message
    assert message.startswith("line ")


def test_a_component_without_objective_is_missed() -> None:
    assert "no objective for api" in refused(TEXT[: TEXT.rindex("---")])
    assert "no objective for ingestor" in refused("")
