"""Do alerts reach the receiver, and in time?"""

from __future__ import annotations

from ops.grafana.panels import Board, Row, Table, Unit, lines, states
from ops.grafana.queries import level, percentiles, rate, share
from streams.core.backpressure import Level
from streams.core.breaker import BreakerState

WAITING = Table(
    "Alerts waiting, by topic and severity",
    "SELECT topic, severity, count(*) AS alerts, max(attempts) AS most_attempts,"
    " extract(epoch FROM now() - min(created_at))::float8 AS oldest"
    "  FROM alerts WHERE state = 'pending' AND topic IN (${topic:sqlstring}) GROUP BY 1, 2 ORDER BY 2 DESC, 1",
    "Severity 5 is critical, 0 is clear.",
    units=(("oldest", Unit.SECONDS),),
)
ENDED = Table(
    "Alerts raised in this time, by team",
    "SELECT team, count(*) AS alerts, count(*) FILTER (WHERE state = 'delivered') AS delivered,"
    " count(*) FILTER (WHERE state = 'pending') AS pending, count(*) FILTER (WHERE state = 'dead') AS dead"
    "  FROM alerts WHERE $__timeFilter(created_at) AND topic IN (${topic:sqlstring}) GROUP BY 1 ORDER BY 2 DESC",
    "dead: see the dashboard of dead letters, stage deliver.",
)

BOARD = Board(
    uid="mutt-delivery",
    title="mutt: alerts & delivery",
    question="Do alerts reach the receiver, and in time?",
    by_topic=True,
    rows=(
        Row(
            "What waits",
            (
                lines("Alerts waiting", Unit.COUNT, level("mutt_alerter_queue_depth", how="max", legend="pending")),
                states("Backlog", Level, level("mutt_backlog_level", how="max", legend="backlog")),
                lines(
                    "Thresholds crossed", Unit.PER_SECOND,
                    rate("mutt_backlog_crossings_total", "threshold", "direction"),
                    about="Many an hour: the thresholds lie within the ordinary swing, docs/CAPACITY.md.",
                ),
                lines(
                    "Age of the count", Unit.SECONDS, level("mutt_backlog_count_age_seconds", how="max", legend="age"),
                    about="Beyond seconds: PostgreSQL is slow, and the last count stays in force.",
                ),
                lines("Events shed", Unit.PER_SECOND, rate("mutt_alerter_shed_events_total", "mode")),
                lines("Alerts raised", Unit.PER_SECOND, rate("mutt_alerter_alerts_forwarded_total", legend="raised")),
                WAITING,
                ENDED,
            ),
        ),
        Row(
            "What the receiver answers",
            (
                lines(
                    "Posts", Unit.PER_SECOND, rate("mutt_moog_requests_total", "status", "reason"),
                    about="http: 5xx and refusals; rate_limit: 429; auth: check MOOG_API_KEY; timeout, connection.",
                ),
                lines(
                    "Posts taken", Unit.RATIO,
                    share('mutt_moog_requests_total{status="success"}', "mutt_moog_requests_total", "taken"),
                ),
                lines("Duration of a post", Unit.SECONDS, *percentiles("mutt_moog_request_latency_seconds")),
                states("Circuit breakers", BreakerState, level("mutt_circuit_breaker_state", "name", how="max")),
                lines(
                    "Failures in a row", Unit.COUNT, level("mutt_circuit_breaker_failures", "name", how="max"),
                    about="At circuit_breaker_threshold the breaker opens: alerts wait, nothing is lost.",
                ),
                lines(
                    "Breakers changing", Unit.PER_SECOND,
                    rate("mutt_circuit_breaker_state_changes_total", "name", "from_state", "to_state"),
                ),
            ),
        ),
        Row(
            "How alerts end",
            (
                lines(
                    "Alerts settled", Unit.PER_SECOND, rate("mutt_moog_alerts_processed_total", "status", "reason"),
                    about="fail: dead letters, `mutt dlq stats --stage deliver`.", width=6,
                ),
                lines(
                    "In time or not", Unit.PER_SECOND, rate("mutt_alerts_on_time_total", "status", "reason"),
                    about="late: the receiver, its rate limit or its breaker holds alerts back.", width=6,
                ),
                lines(
                    "Waited for the rate limit", Unit.PER_SECOND,
                    rate("mutt_moog_rate_limit_hits_total", legend="alerts"),
                    about="For long: raise moog_rate_limit with the receiver's owner.", width=6,
                ),
                lines(
                    "Shares of the rate limit", Unit.RATIO, level("mutt_moog_rate_share_ratio", legend="of all"),
                    about="Below 100 %: partitions of mutt.alerts have no owner.", width=6,
                ),
            ),
        ),
    ),
)  # fmt: skip
