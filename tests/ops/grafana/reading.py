"""Reads the committed dashboards as Grafana does, and puts in what it puts in for variables."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ops.grafana.load import DASHBOARDS
from schemas.topics import INGEST

_TIME_FILTER = re.compile(r"\$__timeFilter\((\w+)\)")
_VARIABLE = re.compile(r"\$\w+")
_TOPICS = ", ".join(f"'{topic.name}'" for topic in INGEST)


@dataclass(frozen=True)
class Asked:
    """One question of one panel (or of an annotation): PromQL, or SQL."""

    board: str
    panel: str
    unit: str | None
    text: str
    sql: bool

    def __str__(self) -> str:
        return f"{self.board} / {self.panel}: {self.text}"


def dashboards() -> dict[str, dict[str, Any]]:
    """Every dashboard by the name of its file."""
    return {file.name: json.loads(file.read_text()) for file in sorted(DASHBOARDS.glob("*.json"))}


def panels(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    """All that show something."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def questions() -> list[Asked]:
    return [one for dashboard in dashboards().values() for one in _questions(dashboard)]


def _questions(dashboard: dict[str, Any]) -> Iterator[Asked]:
    for panel in panels(dashboard):
        unit = panel.get("fieldConfig", {"defaults": {}})["defaults"].get("unit")
        for target in panel["targets"]:
            sql = "rawSql" in target
            yield Asked(dashboard["title"], panel["title"], unit, target["rawSql" if sql else "expr"], sql)
    for one in dashboard["annotations"]["list"]:
        yield Asked(dashboard["title"], one["name"], None, one["target"]["rawSql"], True)


def filled_in(asked: Asked, *, interval: str = "5s") -> str:
    """The question as Grafana asks it: every environment, component and topic, the last hour."""
    if asked.sql:
        text = _TIME_FILTER.sub(r"\1 BETWEEN now() - interval '1 hour' AND now() + interval '1 hour'", asked.text)
        return text.replace("${topic:sqlstring}", _TOPICS)
    values = {"$environment": ".*", "$component": "mutt.*", "$__rate_interval": interval}
    return _VARIABLE.sub(lambda found: values[found[0]], asked.text)
