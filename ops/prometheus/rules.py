"""The rules file as a whole: `mutt slo rules` prints it, ops/prometheus/mutt.rules.yml keeps it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml

from ops.prometheus import burning
from ops.prometheus.alerts import ALERTS, Alert
from schemas.slo import Objectives

RUNBOOK = "docs/RUNBOOK.md"
_HEADER = "# Printed by `mutt slo rules`; change schemas/objectives.yaml or ops/prometheus/alerts.py instead.\n"


def all_alerts() -> list[Alert]:
    return [*burning.alerts(), *ALERTS]


def rules_file(objectives: Objectives, *, runbook: str = RUNBOOK, pace: float = 1.0) -> str:
    """YAML for Prometheus. `runbook` is where people read it; `pace` shortens the windows of the burn rates."""
    groups = [*burning.groups(objectives, pace=pace), {"name": "mutt-alerts", "rules": _rules(all_alerts(), runbook)}]
    text: str = yaml.dump({"groups": groups}, Dumper=_Dumper, sort_keys=False, width=10_000, allow_unicode=True)
    return _HEADER + text


def _rules(alerts: Iterable[Alert], runbook: str) -> list[dict[str, Any]]:
    return [_rule(each, runbook) for each in alerts]


def _rule(alert: Alert, runbook: str) -> dict[str, Any]:
    notes = {"summary": alert.summary, "action": alert.action, "runbook_url": f"{runbook}#{alert.anchor}"}
    waits = {"for": alert.waits} if alert.waits else {}
    return {
        "alert": alert.name,
        "expr": alert.expr,
        **waits,
        "labels": {"severity": alert.severity.value, **alert.labels},
        "annotations": notes,
    }


class _Dumper(yaml.SafeDumper):
    """Writes everything out: YAML's references are hard to read."""

    def ignore_aliases(self, data: Any) -> bool:
        return True
