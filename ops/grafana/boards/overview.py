"""Is it healthy, and where does it stop?"""

from __future__ import annotations

from ops.grafana.panels import Board, Query, Row, Table, Unit, lines, number, states
from ops.grafana.queries import INTERVAL, level, percentile, percentiles, rate
from schemas.slo import WINDOW, Component, objectives
from streams.core.backpressure import Level
from streams.core.breaker import BreakerState

_INGEST = objectives()[Component.INGESTOR]
_AVAILABILITY = f"({_INGEST.good_query}) / ({_INGEST.total_query})"

PAUSES = Table(
    "What stands still now",
    "SELECT topic, reason, count(*) AS partitions, min(since) AS since, string_agg(DISTINCT word, ', ') AS says FROM ("
    " SELECT topic, reason, since, worker AS word FROM partition_pauses"
    "  WHERE seen_at > now() - interval '15 seconds'"
    "    AND (reason <> 'halted' OR topic NOT IN (SELECT topic FROM partition_progress))"
    " UNION ALL"
    " SELECT topic, 'halted', halted_at, halted_reason FROM partition_progress WHERE halted_at IS NOT NULL"
    ") standing GROUP BY 1, 2 ORDER BY 1, 2",
    "Empty while everything moves. `mutt pauses` says the same. halted: `mutt ledger show`; breaker: the receiver is"
    " down; backlog: it is slower than what arrives; sink: look at PostgreSQL and Kafka; operator: somebody said so.",
)
PROGRESS = Table(
    "How far each topic is",
    "SELECT topic, count(*) AS partitions, count(halted_at) AS halted, sum(next_offset) AS decided,"
    " extract(epoch FROM now() - max(updated_at))::float8 AS quiet_for"
    "  FROM partition_progress WHERE topic IN (${topic:sqlstring}) GROUP BY 1 ORDER BY 1",
    "A topic that is quiet for long while its producers send: its partitions are halted or have no worker.",
    units=(("quiet_for", Unit.SECONDS),),
)

BOARD = Board(
    uid="mutt-overview",
    title="mutt: overview",
    question="Is it healthy, and where does it stop?",
    by_topic=True,
    rows=(
        Row(
            "Is it healthy?",
            (
                number(
                    "Services that answer", Unit.RATIO, Query("sum(up) / count(up)", ""),
                    red_below=1, about="Targets of Prometheus whose job begins with mutt.",
                ),
                number("Events decided", Unit.PER_SECOND, rate("mutt_alerter_events_processed_total")),
                number(
                    _INGEST.title, Unit.RATIO, Query(_AVAILABILITY.replace(WINDOW, INTERVAL), ""),
                    red_below=_INGEST.target, about=_INGEST.description,
                ),
                number(
                    "Alerts waiting", Unit.COUNT, level("mutt_alerter_queue_depth", how="max"), red_from=2000,
                    about="Pending for the whole fleet; red at the default of alerter_queue_shed_threshold.",
                ),
                number("Partitions paused", Unit.COUNT, level("mutt_partitions_paused"), red_from=1),
                number(
                    "Breakers open", Unit.COUNT, Query("sum(mutt_circuit_breaker_state == bool 2)", ""), red_from=1
                ),
            ),
        ),
        Row(
            "Where does it stop? In the order in which an event goes",
            (
                lines("Events settled", Unit.PER_SECOND, rate("mutt_ingest_requests_total", "status", "reason")),
                lines("Record to commit", Unit.SECONDS, *percentiles("mutt_alerter_processing_latency_seconds")),
                lines(
                    "Partitions standing still", Unit.COUNT, level("mutt_partitions_paused", "reason"),
                    about="By reason. What each means and what to do stands in docs/RUNBOOK.md.",
                ),
                lines(
                    "Alerts raised and settled", Unit.PER_SECOND,
                    rate("mutt_alerter_alerts_forwarded_total", legend="raised"),
                    rate("mutt_moog_alerts_processed_total", legend="settled"),
                    about="Settled below raised for long: the receiver is slow or down, alerts wait.",
                ),
                states("Backlog", Level, level("mutt_backlog_level", how="max", legend="backlog")),
                states("Circuit breakers", BreakerState, level("mutt_circuit_breaker_state", "name", how="max")),
                PROGRESS,
                PAUSES,
                lines(
                    "Tries repeated", Unit.PER_SECOND, rate("mutt_store_retries_total", "service"),
                    about="What was away. Rising: look at that server.",
                ),
                lines("API answers", Unit.PER_SECOND, rate("mutt_webui_api_requests_total", "status", "reason")),
                lines("API, slowest in a hundred", Unit.SECONDS, percentile(0.99, "mutt_webui_api_latency_seconds")),
                lines(
                    "What browsers refused of the console", Unit.PER_SECOND,
                    rate("mutt_console_policy_reports_total", legend="reports"),
                    about="Above 0: something tried to run there that is not ours. The API's log says what.",
                ),
                lines(
                    "Requests without a good key", Unit.PER_SECOND, rate("mutt_api_auth_failures_total", "reason"),
                    about="unknown, wrong: somebody tries keys. expired, revoked: a client still has its old one.",
                ),
                lines(
                    "Until a client has no key", Unit.SECONDS,
                    Query("clamp_min(max(mutt_api_keys_first_expiry_timestamp_seconds) - time(), 0)", "first to end"),
                    about="0: no client is ever left without one. `mutt keys list` shows which ends.",
                ),
                lines(
                    "Secrets not at their newest", Unit.COUNT, level("mutt_secrets_stale", "job", "reason"),
                    about="Groups of which the last good version is in use: `mutt secrets status`.",
                ),
                lines(
                    "Since secrets were read", Unit.SECONDS,
                    Query("time() - min by (job) (mutt_secrets_read_timestamp_seconds)", "{{job}}"),
                    about="Far beyond MUTT_VAULT_REFRESH: a rotation would not be noticed.",
                ),
                lines(
                    "Clocks apart", Unit.SECONDS,
                    Query(
                        "max by (job) (abs(mutt_clock_timestamp_seconds - timestamp(mutt_clock_timestamp_seconds)))",
                        "{{job}}",
                    ),
                    about="From Prometheus' own. Seconds: mend the time service.",
                ),
                lines(
                    "Requests asked twice", Unit.PER_SECOND, rate("mutt_api_idempotent_requests_total", "outcome"),
                    about="replayed is fine; lost: look for a restart; reused: a client's later requests are refused.",
                ),
            ),
        ),
    ),
)  # fmt: skip
