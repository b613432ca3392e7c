"""Makes Grafana's JSON of the dashboards; needs grafana-foundation-sdk, which only development installs."""

from __future__ import annotations

import json
from enum import IntEnum
from typing import Any, TypeAlias

from grafana_foundation_sdk.builders import dashboard, prometheus, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import dashboard as models

from ops.grafana.boards import BOARDS
from ops.grafana.panels import Board, Panel, Shape, Table
from ops.grafana.queries import COMPONENT, ENVIRONMENT, narrowed
from schemas.topics import INGEST

PROMETHEUS = models.DataSourceRef("prometheus", "${prometheus}")
POSTGRESQL = models.DataSourceRef("grafana-postgresql-datasource", "${postgresql}")
HEIGHT = 8
NUMBER_HEIGHT = 4

CHANGES = """\
SELECT changed_at AS time, concat_ws(',', table_name, operation) AS tags,
       concat_ws(' ', operation, table_name, object, 'by', concat_ws(': ', changed_by, reason)) AS text
  FROM config_audit WHERE $__timeFilter(changed_at) ORDER BY changed_at DESC LIMIT 200"""

AnyPanel: TypeAlias = timeseries.Panel | stat.Panel | statetimeline.Panel | table.Panel


def documents() -> dict[str, str]:
    """The text of every dashboard, by the name of its file."""
    return {f"{board.uid}.json": text(board) for board in BOARDS}


def text(board: Board) -> str:
    """One dashboard as Grafana reads it: sorted and indented, so that a change is a small difference."""
    document = json.loads(json.dumps(_dashboard(board).build(), cls=JSONEncoder))
    document["annotations"] = {"list": [_changes()]}
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _dashboard(board: Board) -> dashboard.Dashboard:
    made = dashboard.Dashboard(board.title).uid(board.uid).description(board.question).tags(["mutt"])
    made.time("now-3h", "now").refresh("30s").tooltip(models.DashboardCursorSync.CROSSHAIR).timezone("browser")
    made.link(
        dashboard.DashboardLink("mutt").type(models.DashboardLinkType.DASHBOARDS).tags(["mutt"])
        .as_dropdown(True).keep_time(True).include_vars(True)
    )  # fmt: skip
    made.variables(_variables(board))
    for number, row in enumerate(board.rows):
        made.with_row(dashboard.Row(row.title).id(100 * (number + 1)))
        for place, panel in enumerate(row.panels, 1):
            made.with_panel(_panel(panel, board).id(100 * (number + 1) + place))
    return made


# -- variables --------------------------------------------------------------------------------------------------------

_ALL = models.VariableOption(True, ["All"], ["$__all"])


def _variables(board: Board) -> list[Builder[models.VariableModel]]:
    sources: list[Builder[models.VariableModel]] = [
        dashboard.DatasourceVariable("prometheus").label("Prometheus").type("prometheus"),
        dashboard.DatasourceVariable("postgresql").label("PostgreSQL").type("grafana-postgresql-datasource"),
    ]
    component = [_label("component", "job", "mutt.*")] if board.by_component else []
    topic = [_topic()] if board.by_topic else []
    return [*sources, _label("environment", "environment", ".*"), *component, *topic]


def _label(name: str, label: str, everything: str) -> Builder[models.VariableModel]:
    """A label of the targets; `everything` matches those without it too, where they may be."""
    return (
        dashboard.QueryVariable(name).label(name.capitalize()).datasource(PROMETHEUS)
        .query(f'label_values(up{{job=~"mutt.*"}}, {label})').refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC).multi(True).include_all(True).all_value(everything).current(_ALL)
    )  # fmt: skip


def _topic() -> Builder[models.VariableModel]:
    names = [topic.name for topic in INGEST]
    options = [models.VariableOption(False, name, name) for name in names]
    return (
        dashboard.CustomVariable("topic").label("Topic").values(",".join(names)).multi(True).include_all(True)
        .current(_ALL).options([models.VariableOption(True, "All", "$__all"), *options])
    )  # fmt: skip


# -- panels -----------------------------------------------------------------------------------------------------------


def _panel(panel: Panel | Table, board: Board) -> AnyPanel:
    if isinstance(panel, Table):
        return _table(panel)
    made = _SHAPES[panel.shape](panel)
    matchers = (ENVIRONMENT, COMPONENT) if board.by_component else (ENVIRONMENT,)
    for letter, query in zip("ABCDEFGH", panel.queries, strict=False):
        target = prometheus.Dataquery().ref_id(letter).expr(narrowed(query.expression, matchers)).range()
        made.with_target(target.legend_format(query.legend))
    if panel.about:
        made.description(panel.about)
    return made.title(panel.title).unit(panel.unit).datasource(PROMETHEUS).span(panel.width)


def _lines(panel: Panel) -> AnyPanel:
    return timeseries.Panel().fill_opacity(10).height(HEIGHT).min(0)


def _number(panel: Panel) -> AnyPanel:
    return stat.Panel().height(NUMBER_HEIGHT).thresholds(_thresholds(panel))


def _states(panel: Panel) -> AnyPanel:
    assert panel.states is not None
    return statetimeline.Panel().height(HEIGHT).mappings([_mapping(panel.states)])


_SHAPES = {Shape.LINES: _lines, Shape.NUMBER: _number, Shape.STATES: _states}


def _thresholds(panel: Panel) -> dashboard.ThresholdsConfig:
    steps = [models.Threshold(None, "red" if panel.red_below is not None else "green")]
    if panel.red_below is not None:
        steps.append(models.Threshold(panel.red_below, "green"))
    if panel.red_from is not None:
        steps.append(models.Threshold(panel.red_from, "red"))
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps)


def _mapping(names: type[IntEnum]) -> models.ValueMapping:
    """The first state is green, the last red, what lies between yellow."""
    colours = {0: "green", len(names) - 1: "red"}
    return models.ValueMap({
        str(state.value): models.ValueMappingResult(_words(state), colours.get(place, "yellow"), index=place)
        for place, state in enumerate(names)
    })  # fmt: skip


def _words(state: IntEnum) -> str:
    return state.name.lower().replace("_", " ")


def _table(panel: Table) -> AnyPanel:
    made = table.Panel().title(panel.title).datasource(POSTGRESQL).height(HEIGHT).span(panel.width)
    if panel.about:
        made.description(panel.about)
    for column, unit in panel.units:
        made.override_by_name(column, [models.DynamicConfigValue("unit", unit)])
    return made.with_target(_Sql(panel.sql))


# -- SQL, which the SDK does not know ---------------------------------------------------------------------------------


class _Sql(Dataquery, Builder[Dataquery]):
    """A question of the PostgreSQL data source."""

    def __init__(self, sql: str) -> None:
        self._sql = sql

    def build(self) -> Dataquery:
        return self

    def to_json(self) -> dict[str, Any]:
        return {"refId": "A", "format": "table", "editorMode": "code", "rawQuery": True, "rawSql": self._sql}


def _changes() -> dict[str, Any]:
    """Who changed the configuration, as lines across every panel."""
    source = {"type": POSTGRESQL.type_val, "uid": POSTGRESQL.uid}
    target = _Sql(CHANGES).to_json()
    return {
        "name": "Configuration changes",
        "datasource": source,
        "enable": True,
        "iconColor": "purple",
        "target": target,
    }
