"""What could not be processed, why, and does it go out again?"""

from __future__ import annotations

from ops.grafana.panels import Board, Row, Table, Unit, lines, states
from ops.grafana.queries import level, rate
from streams.core.remediation import Activity

BY_REASON = Table(
    "Letters, by stage and reason",
    "SELECT stage, reason, state, count(*) AS letters, max(replays) AS most_replays,"
    " extract(epoch FROM now() - min(first_failed_at))::float8 AS oldest"
    "  FROM dead_letters WHERE state <> 'replayed' AND topic IN (${topic:sqlstring})"
    " GROUP BY 1, 2, 3 ORDER BY 4 DESC",
    "All that are not settled. `mutt dlq stats --by detail` says more, `mutt dlq replay` sends them again.",
    units=(("oldest", Unit.SECONDS),),
)
BY_TOPIC = Table(
    "New in this time, by topic",
    "SELECT topic, reason, count(*) AS letters, count(DISTINCT hostname) AS hosts, max(first_failed_at) AS last"
    "  FROM dead_letters WHERE $__timeFilter(first_failed_at) AND topic IN (${topic:sqlstring})"
    " GROUP BY 1, 2 ORDER BY 3 DESC",
)
REPLAYS = Table(
    "Replays in this time",
    "SELECT created_at AS time, actor, reason, selected, sent, refused, came_back, finished_at FROM replays"
    " WHERE $__timeFilter(created_at) ORDER BY 1 DESC LIMIT 50",
    "Who sent letters again; remediation names itself.",
    width=24,
)

BOARD = Board(
    uid="mutt-dead-letters",
    title="mutt: dead letters",
    question="What could not be processed, why, and does it go out again?",
    by_topic=True,
    rows=(
        Row(
            "What could not be processed",
            (
                lines(
                    "Rejected and shed", Unit.PER_SECOND,
                    rate('mutt_ingest_requests_total{status="fail"}', "reason"),
                    about="By reason. internal_error, database_value: a defect of mutt, report it.",
                ),
                lines(
                    "Refused by the receiver", Unit.PER_SECOND,
                    rate('mutt_moog_alerts_processed_total{status="fail"}', "reason"),
                    about="Alerts that ended as dead letters.",
                ),
                lines(
                    "Put there by others", Unit.PER_SECOND,
                    rate("mutt_dead_letters_indexed_total", legend="found on mutt.dlq"),
                ),
                BY_REASON,
                BY_TOPIC,
            ),
        ),
        Row(
            "Does it go out again?",
            (
                states(
                    "Remediation", Activity, level("mutt_remediation_state", how="max", legend="remediation"),
                    about="stopped: more than half of a batch came back. Standby everywhere: nobody acts.",
                ),
                lines(
                    "Rounds", Unit.PER_SECOND, rate("mutt_remediation_rounds_total", "outcome"),
                    about="receiver or backlog for long: look at delivery; unavailable: at PostgreSQL and Kafka.",
                ),
                lines("Parked", Unit.PER_SECOND, rate("mutt_dlq_parked_published_total", legend="letters")),
                lines(
                    "Sent again", Unit.PER_SECOND, rate("mutt_remediation_letters_replayed_total", "reason"), width=12
                ),
                lines(
                    "Came back", Unit.PER_SECOND, rate("mutt_remediation_letters_came_back_total", "reason"),
                    about="Nearly as many as were sent: the cause is still there.", width=12,
                ),
                REPLAYS,
            ),
        ),
    ),
)  # fmt: skip
