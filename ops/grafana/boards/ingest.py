"""What comes in, how it is decided, and whether the workers keep up."""

from __future__ import annotations

from ops.grafana.panels import Board, Row, Table, Unit, lines
from ops.grafana.queries import level, percentile, percentiles, rate, share

DECIDED = Table(
    "Decided in this time, by topic",
    "SELECT topic, sum(alerted) AS alerted, sum(logged) AS logged, sum(ignored) AS ignored,"
    " sum(unhandled) AS unhandled, sum(shed) AS shed, sum(rejected) AS rejected, sum(missing) AS missing"
    "  FROM ledger WHERE $__timeFilter(minute) AND topic IN (${topic:sqlstring}) GROUP BY 1 ORDER BY 1",
    "From the ledger: every offset once. missing: gone from the log before it was read.",
)
UNHANDLED = Table(
    "Unhandled most, by host",
    "SELECT topic, hostname, template, sum(count) AS events, max(last_seen) AS last FROM unhandled_signatures"
    " WHERE $__timeFilter(last_seen) AND topic IN (${topic:sqlstring}) GROUP BY 1, 2, 3 ORDER BY 4 DESC LIMIT 20",
    "Messages no rule matches, with numbers and ids masked. Each line here is a rule that somebody could write.",
)

BOARD = Board(
    uid="mutt-ingest",
    title="mutt: ingest & matching",
    question="What comes in, how is it decided, and do the workers keep up?",
    by_topic=True,
    rows=(
        Row(
            "What comes in",
            (
                lines(
                    "Events settled", Unit.PER_SECOND, rate("mutt_ingest_requests_total", "status", "reason"),
                    about="Faults of producers: `mutt dlq stats`. internal_error, database_value: a defect of mutt.",
                ),
                lines(
                    "Undecided", Unit.COUNT, level("mutt_ingest_queue_depth", how="max", legend="records"),
                    about="Records no worker has decided, as of the last event posted to the API. Rising: more match"
                    " workers, or something is paused.",
                ),
                lines(
                    "What a post waits for Kafka", Unit.SECONDS, *percentiles("mutt_ingest_latency_seconds"),
                    about="Rising: the broker is slow to acknowledge.",
                ),
                lines(
                    "Posts over their rate", Unit.PER_SECOND,
                    rate("mutt_ingest_rate_limit_hits_total", legend="refused with 429"),
                ),
                lines(
                    "SNMP traps", Unit.PER_SECOND, rate("mutt_snmp_traps_total", "status", "reason"),
                    about="broken: what snmptrapd printed was cut short, or is not in the bridge's format.",
                ),
                lines(
                    "Offsets gone unread", Unit.PER_SECOND, rate("mutt_ledger_offsets_missing_total", legend="offsets"),
                    about="Any: the topic's retention is too short, or it is compacted.",
                ),
            ),
        ),
        Row(
            "How it is decided",
            (
                lines(
                    "Dispositions", Unit.PER_SECOND, rate("mutt_alerter_events_processed_total", "reason"), width=12
                ),
                lines(
                    "Unhandled share", Unit.RATIO,
                    share(
                        'mutt_alerter_events_processed_total{reason="unhandled"}',
                        "mutt_alerter_events_processed_total", "unhandled",
                    ),
                    about="Rising: rules are missing.", width=6,
                ),
                lines(
                    "Storms of unmatched events", Unit.PER_SECOND,
                    rate("mutt_alerter_unhandled_meta_alerts_total", legend="meta-alerts"), width=6,
                ),
                DECIDED,
                UNHANDLED,
            ),
        ),
        Row(
            "Do the workers keep up?",
            (
                lines(
                    "Records that wait", Unit.COUNT, level("mutt_ingest_lag_records", how="max", legend="records"),
                    about="Not decided over yet, all ingest topics. Rising: more match workers.",
                ),
                lines("Record to commit", Unit.SECONDS, *percentiles("mutt_alerter_processing_latency_seconds")),
                lines(
                    "Records a transaction", Unit.COUNT, *percentiles("mutt_batch_records"),
                    about="Large when busy, small when quiet.",
                ),
                lines("Transaction", Unit.SECONDS, percentile(0.99, "mutt_db_write_latency_seconds")),
                lines("Records held", Unit.COUNT, level("mutt_records_held", "job")),
                lines("Bytes held", Unit.BYTES, level("mutt_held_bytes", "job")),
                lines(
                    "Partitions assigned", Unit.COUNT, level("mutt_partitions_assigned", "job"),
                    about="The sum of a role is the number of partitions of its topics.",
                ),
                lines(
                    "Partitions standing still, on average", Unit.COUNT,
                    rate("mutt_partitions_paused_seconds_total", "reason"),
                ),
                lines(
                    "Batches given up", Unit.PER_SECOND, rate("mutt_batches_fenced_total", legend="fenced"),
                    about="A partition moved. Rising without rebalances: two workers fight for one.",
                ),
                lines("Halted by a defect", Unit.PER_SECOND, rate("mutt_internal_halts_total", legend="partitions")),
            ),
        ),
        Row(
            "Which rules are in force, and do the books add up?",
            (
                lines(
                    "Version of the rule set", Unit.COUNT,
                    level("mutt_ruleset_version", "job", how="max", legend="{{job}} newest"),
                    level("mutt_ruleset_version > 0", "job", how="min", legend="{{job}} oldest"),
                    about="Apart for more than a second: one worker cannot reach PostgreSQL.",
                ),
                lines("Active rules", Unit.COUNT, level("mutt_alerter_cache_rules_count", how="max", legend="rules")),
                lines(
                    "Ledger ranges that do not follow", Unit.COUNT,
                    level("mutt_ledger_faults", how="max", legend="ranges"),
                    about="Any: run `mutt ledger verify`, and keep the tables as they are.",
                ),
                lines(
                    "Hosts known", Unit.COUNT,
                    level("mutt_alerter_cache_dev_hosts_count", how="max", legend="development"),
                    level("mutt_alerter_cache_teams_count", how="max", legend="with a team"),
                ),
            ),
        ),
    ),
)  # fmt: skip
