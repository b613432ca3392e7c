"""The dashboards as they are committed: made by the generator, of metrics that are exported, in units that fit."""

from __future__ import annotations

import re
from itertools import combinations
from typing import Any

import pytest
import yaml

from api.metrics import ApiMetrics
from ops.grafana.boards import BOARDS
from ops.grafana.build import documents
from ops.grafana.load import DASHBOARDS
from ops.grafana.panels import WIDTH, Unit
from ops.grafana.queries import narrowed
from ops.retention_metrics import RetentionMetrics
from streams import metrics
from tests.ops.grafana.reading import Asked, dashboards, panels, questions

PROVISIONING = DASHBOARDS.parent / "provisioning"
UIDS = (
    "mutt-dead-letters",
    "mutt-delivery",
    "mutt-ingest",
    "mutt-overview",
    "mutt-retention",
    "mutt-slo",
    "mutt-stores",
)
"""Part of every link that somebody kept: never changed."""

WHOLE = ("mutt: SLO & error budget", "mutt: retention")
"""Boards that no component narrows."""

PROMQL = [one for one in questions() if not one.sql]
METRIC = re.compile(r"\bmutt_\w+|\bup\b")
each = pytest.mark.parametrize("dashboard", dashboards().values(), ids=dashboards())


def exported() -> set[str]:
    """Every series a service may show, histograms by each of their names."""
    registries = (metrics.REGISTRY, ApiMetrics().registry, RetentionMetrics().registry)
    families = [family for registry in registries for family in registry.collect()]
    suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}
    return {family.name + suffix for family in families for suffix in suffixes.get(family.type, ("",))}


def test_the_files_are_what_the_generator_makes() -> None:
    kept = {file.name: file.read_text(encoding="utf-8") for file in DASHBOARDS.glob("*")}
    assert kept == documents(), "python -m ops.grafana write"


def test_every_metric_of_a_panel_is_exported() -> None:
    known = {*exported(), "up"}
    assert [str(one) for one in PROMQL if not METRIC.findall(one.text)] == []
    assert [str(one) for one in PROMQL if not known.issuperset(METRIC.findall(one.text))] == []


def test_every_metric_of_ours_is_on_a_panel() -> None:
    shown = {name for one in PROMQL for name in METRIC.findall(one.text)}
    shown |= {name.removesuffix("_bucket") + other for name in shown for other in ("_count", "_sum")}
    assert {name for name in exported() - shown if name.startswith("mutt_")} == set()


def test_every_metric_is_narrowed_by_environment_and_component() -> None:
    for one in PROMQL:
        count = len(METRIC.findall(one.text))
        assert one.text.count('environment=~"$environment"') == count, one
        assert one.text.count('job=~"$component"') == (0 if one.board in WHOLE else count), one


def test_matchers_join_those_that_are_there() -> None:
    assert narrowed('rate(mutt_a_total{x="1"}[5m]) / up', ("y=~'z'",)) == (
        """rate(mutt_a_total{x="1",y=~'z'}[5m]) / up{y=~'z'}"""
    )


@each
def test_uids_and_titles_are_unique_and_stable(dashboard: dict[str, Any]) -> None:
    titles = [panel["title"] for panel in dashboard["panels"]]
    numbers = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(titles)) == len(titles)
    assert len(set(numbers)) == len(numbers)
    assert dashboard["uid"] in UIDS


def test_every_dashboard_is_there_once() -> None:
    assert tuple(sorted(board.uid for board in BOARDS)) == UIDS
    assert len({board.title for board in BOARDS}) == len(UIDS)


@each
def test_panels_stand_side_by_side(dashboard: dict[str, Any]) -> None:
    places = [panel["gridPos"] for panel in dashboard["panels"]]
    assert [place for place in places if place["x"] + place["w"] > WIDTH] == []
    assert [(one, other) for one, other in combinations(places, 2) if overlap(one, other)] == []


def overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    return all(one[at] < other[at] + other[size] and other[at] < one[at] + one[size] for at, size in ("xw", "yh"))


@each
def test_a_panel_has_a_source_and_says_what_to_do(dashboard: dict[str, Any]) -> None:
    variables = {variable["name"]: variable for variable in dashboard["templating"]["list"]}
    assert {"prometheus", "postgresql", "environment"} <= variables.keys()
    for panel in panels(dashboard):
        kind = panel["datasource"]["type"]
        source = variables[panel["datasource"]["uid"].strip("${}")]
        assert source["query"] == kind
    text = str(dashboard["panels"])
    used = set(re.findall(r"\$\{?([a-z]+)[:}\"]", text))
    assert used | {"postgresql"} == variables.keys()


@each
def test_every_line_has_a_name_of_its_own(dashboard: dict[str, Any]) -> None:
    for panel in panels(dashboard):
        names = [target["legendFormat"] for target in panel["targets"] if "expr" in target]
        assert panel["type"] == "stat" or all(names), panel["title"]
        assert len(set(names)) == len(names), panel["title"]


# -- units ------------------------------------------------------------------------------------------------------------

SUFFIXES = {"_seconds": Unit.SECONDS, "_bytes": Unit.BYTES, "_ratio": Unit.RATIO}


def unit_of(name: str) -> Unit:
    """What a gauge, or the middle of a histogram, is measured in."""
    return next((unit for suffix, unit in SUFFIXES.items() if name.endswith(suffix)), Unit.COUNT)


def fitting(expression: str) -> set[Unit]:
    """The units that the value of an expression may have."""
    first = METRIC.findall(expression)[0]
    if " / " in expression:
        return {Unit.RATIO, Unit.TIMES}
    if expression.startswith("histogram_quantile"):
        return {unit_of(first.removesuffix("_bucket"))}
    if "rate(" in expression:
        # Seconds by second are a number of those that stand still.
        return {Unit.COUNT if first.endswith("_seconds_total") else Unit.PER_SECOND}
    return {unit_of(first)}


def test_units_fit() -> None:
    assert [(str(one), one.unit) for one in PROMQL if one.unit not in fitting(one.text)] == []


@pytest.mark.parametrize(
    ("unit", "expression"),
    [
        (Unit.COUNT, "histogram_quantile(0.5, sum by (le) (rate(mutt_db_write_latency_seconds_bucket[5m])))"),
        (Unit.SECONDS, "sum(rate(mutt_ingest_requests_total[5m]))"),
        (Unit.SECONDS, "sum(rate(mutt_partitions_paused_seconds_total[5m]))"),
        (Unit.COUNT, "sum(mutt_held_bytes)"),
        (Unit.SECONDS, "sum(rate(mutt_a_total[5m])) / sum(rate(mutt_b_total[5m]))"),
    ],
)
def test_a_wrong_unit_is_noticed(unit: Unit, expression: str) -> None:
    assert unit not in fitting(expression)


def test_a_metric_that_is_not_there_is_noticed() -> None:
    one = Asked("board", "panel", Unit.COUNT, "sum(rate(mutt_nothing_total[5m]))", False)
    assert not exported().issuperset(METRIC.findall(one.text))


# -- what Grafana is given --------------------------------------------------------------------------------------------


def test_provisioning_names_the_sources_that_dashboards_ask() -> None:
    sources = yaml.safe_load((PROVISIONING / "datasources" / "mutt.yaml").read_text())["datasources"]
    wanted = {panel["datasource"]["type"] for dashboard in dashboards().values() for panel in panels(dashboard)}
    assert {source["type"] for source in sources} == wanted
    (postgresql,) = [source for source in sources if source["type"] == "grafana-postgresql-datasource"]
    assert f"CREATE ROLE {postgresql['user']} " in (DASHBOARDS.parent / "readonly.sql").read_text()
    assert postgresql["secureJsonData"] == {"password": "$__file{/run/secrets/mutt_grafana_password}"}


def test_provisioning_reads_a_folder_of_dashboards() -> None:
    (provider,) = yaml.safe_load((PROVISIONING / "dashboards" / "mutt.yaml").read_text())["providers"]
    assert (provider["type"], provider["folderUid"]) == ("file", "mutt")
