"""docs/METRICS.md: every metric with its type, its labels and their values, and what to do when it moves."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

import api.metrics
import ops.retention_metrics
import streams.metrics
import streams.process_metrics
from api.door import KAFKA
from api.guarded_reads import POSTGRESQL
from api.prometheus_source import PROMETHEUS
from ops.documents.markdown import code, codes, page, table
from ops.documents.words import above_calls
from schemas.dead_letters import Reason
from schemas.events import Disposition
from streams.core.api_keys import Failure
from streams.core.backpressure import Level
from streams.core.breaker import BreakerState
from streams.core.delivery import DeliveryReason, Timing
from streams.core.pausing import PauseReason
from streams.core.receivers.registry import RECEIVERS
from streams.core.remediation import REMEDIED, Round
from streams.core.retention import Kind
from streams.core.vault import Trouble

Labels = Mapping[str, Iterable[str]]
"""The closed values of each label of a metric."""

_STATUS = ("success", "fail")
_STATES = [state.name.lower() for state in BreakerState]
_CHANGES: Labels = {"from_state": _STATES, "to_state": _STATES}
_RECEIVERS = [receiver.name for receiver in RECEIVERS]
_SERVICES = (POSTGRESQL, KAFKA, PROMETHEUS)
_LEVELS = [level.name.lower() for level in Level if level is not Level.CALM]
_TABLE = {"table": list(Kind)}

OF_WORKERS: Mapping[str, Labels] = {
    "mutt_ingest_requests_total": {"status": _STATUS, "reason": ["", *Reason, "missing"]},
    "mutt_alerter_events_processed_total": {"status": _STATUS, "reason": list(Disposition)},
    "mutt_store_retries_total": {"service": ("postgresql", "kafka")},
    "mutt_partitions_paused": {"reason": list(PauseReason)},
    "mutt_partitions_paused_seconds_total": {"reason": list(PauseReason)},
    "mutt_backlog_crossings_total": {"threshold": _LEVELS, "direction": ("up", "down")},
    "mutt_alerter_shed_events_total": {"mode": ("dlq", "defer")},
    "mutt_moog_requests_total": {"status": _STATUS, "reason": list(DeliveryReason)},
    "mutt_moog_alerts_processed_total": {"status": _STATUS, "reason": [*DeliveryReason, "expired"]},
    "mutt_alerts_on_time_total": {"status": _STATUS, "reason": list(Timing)},
    "mutt_circuit_breaker_state": {"name": _RECEIVERS},
    "mutt_circuit_breaker_failures": {"name": _RECEIVERS},
    "mutt_circuit_breaker_state_changes_total": {"name": _RECEIVERS, **_CHANGES},
    "mutt_snmp_traps_total": {"status": _STATUS, "reason": ("", "broken")},
    "mutt_remediation_rounds_total": {"outcome": list(Round)},
    "mutt_remediation_letters_replayed_total": {"reason": REMEDIED},
    "mutt_remediation_letters_came_back_total": {"reason": REMEDIED},
    "mutt_secrets_stale": {"reason": list(Trouble)},
}
OF_THE_API: Mapping[str, Labels] = {
    "mutt_webui_api_requests_total": {"endpoint": (), "status": _STATUS, "reason": list(api.metrics.Reason)},
    "mutt_webui_api_latency_seconds": {"endpoint": ()},
    "mutt_webui_db_query_latency_seconds": {"operation": ()},
    "mutt_api_auth_failures_total": {"reason": list(Failure)},
    "mutt_api_idempotent_requests_total": {"outcome": list(api.metrics.Outcome)},
    "mutt_circuit_breaker_state": {"name": _SERVICES},
    "mutt_circuit_breaker_failures": {"name": _SERVICES},
    "mutt_circuit_breaker_state_changes_total": {"name": _SERVICES, **_CHANGES},
    "mutt_ingest_requests_total": {"status": ("fail",), "reason": list(api.metrics.Refusal)},
    "mutt_secrets_stale": {"reason": list(Trouble)},
}
OF_RETENTION: Mapping[str, Labels] = {
    "mutt_retention_archives": _TABLE,
    "mutt_retention_archived_rows": _TABLE,
    "mutt_retention_archive_bytes": _TABLE,
}
_IN_WORDS = {
    "endpoint": f"paths of [openapi.json](openapi.json), the console's, or `{api.metrics.NO_ROUTE}`",
    "operation": "see below",
}
"""Labels whose values stand elsewhere."""


@dataclass(frozen=True, slots=True)
class Exporter:
    """Who exports metrics, where they are declared (the last word counts), and what their labels may be."""

    title: str
    words: str
    registry: CollectorRegistry
    modules: tuple[ModuleType, ...]
    labels: Mapping[str, Labels]


def exporters() -> tuple[Exporter, ...]:
    of_the_api = api.metrics.ApiMetrics().registry
    streams.metrics.SecretMetrics(of_the_api)
    workers, shared = streams.metrics, streams.process_metrics
    return (
        Exporter(
            "Workers and the SNMP bridge",
            "Every role exports all of these; what is not its own stays at zero.",
            workers.REGISTRY,
            (workers, shared),
            OF_WORKERS,
        ),
        Exporter("The API", "With the console.", of_the_api, (workers, shared, api.metrics), OF_THE_API),
        Exporter(
            "Retention",
            "`mutt retention run --textfile FILE` writes them for the textfile collector of a node exporter.",
            ops.retention_metrics.RetentionMetrics().registry,
            (ops.retention_metrics,),
            OF_RETENTION,
        ),
    )


def document() -> str:
    about = (
        "At `/metrics` of every process, on the port of its health ([CONFIG.md](CONFIG.md)). On Linux `process_*` are"
        " there too. Alerts on\nthem: [ALERTING.md](ALERTING.md); panels: [DASHBOARDS.md](DASHBOARDS.md)."
    )
    return page("Metrics", about, *(_exporter(one) for one in exporters()), _operations())


def collectors(exporter: Exporter) -> Iterator[tuple[str, Any]]:
    """The declared metrics of an exporter, by the name that is asked for."""
    for collector in exporter.registry._collector_to_names:
        if isinstance(collector, MetricWrapperBase):
            family = next(iter(collector.describe()))
            yield family.name + ("_total" if family.type == "counter" else ""), collector


def _exporter(exporter: Exporter) -> Iterator[str]:
    words = {name: text for module in exporter.modules for name, text in above_calls(module, "mutt_").items()}
    yield f"## {exporter.title}"
    yield ""
    yield exporter.words
    yield ""
    yield from table(
        ("Metric", "Type", "Labels", "Help", "What it means, what to do"),
        (
            (code(name), _type(one), _labels(name, one, exporter.labels), one._documentation, words[name])
            for name, one in collectors(exporter)
        ),
    )


def _type(collector: Any) -> str:
    bounds = getattr(collector, "_upper_bounds", None)
    kind = next(iter(collector.describe())).type
    return f"{kind}: {', '.join(f'{bound:g}' for bound in bounds[:-1])}" if bounds else str(kind)


def _labels(name: str, collector: Any, known: Mapping[str, Labels]) -> str:
    return "; ".join(
        f"`{label}`: {_IN_WORDS.get(label) or codes(map(str, known[name][label]))}" for label in collector._labelnames
    )


def _operations() -> Iterator[str]:
    yield "## Operations of the API on the database"
    yield ""
    yield codes(operations()) + "."
    yield ""


def operations() -> list[str]:
    """Every operation that the API times."""
    folder = Path(api.metrics.__file__).parent
    texts = (path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.py")))
    return sorted({name for text in texts for name in re.findall(r'\.timed\("(\w+)"\)', text)})
