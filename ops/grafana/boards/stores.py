"""Are PostgreSQL and Kafka well, as mutt sees them?"""

from __future__ import annotations

from ops.grafana.panels import Board, Row, Table, Unit, lines, states
from ops.grafana.queries import level, percentile, percentiles, rate
from streams.core.breaker import BreakerState

SIZES = Table(
    "Largest tables",
    "SELECT relname AS table_name, pg_total_relation_size(relid) AS size, n_live_tup AS live, n_dead_tup AS dead,"
    " last_autovacuum FROM pg_stat_user_tables ORDER BY 2 DESC LIMIT 20",
    "dead near live for long: autovacuum does not keep up, or a transaction has been open for hours.",
    units=(("size", Unit.BYTES),),
)
SESSIONS = Table(
    "Sessions",
    "SELECT usename AS role, count(*) AS sessions FROM pg_stat_activity WHERE datname = current_database()"
    " GROUP BY 1 ORDER BY 2 DESC",
    "The sum must stay below max_connections.",
    width=6,
)
PARTITIONS = Table(
    "Partitions of the audit",
    "SELECT child.relname AS partition, pg_total_relation_size(child.oid) AS size"
    "  FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid"
    " WHERE inhparent = 'audit'::regclass ORDER BY 1 DESC",
    "One a month. audit_default holds what has no month yet.",
    units=(("size", Unit.BYTES),),
    width=6,
)
POSITIONS = Table(
    "Positions, by topic and partition",
    "SELECT topic, partition, epoch, next_offset, halted_reason, updated_at FROM partition_progress"
    " WHERE topic IN (${topic:sqlstring}) ORDER BY 1, 2",
    "next_offset is what counts; Kafka's committed offset is only a hint. The log's ends are with Kafka: `mutt ledger"
    " verify` compares them.",
    width=24,
)

BOARD = Board(
    uid="mutt-stores",
    title="mutt: PostgreSQL & Kafka",
    question="Are PostgreSQL and Kafka well, as mutt sees them?",
    by_topic=True,
    rows=(
        Row(
            "PostgreSQL",
            (
                lines("A batch's transaction", Unit.SECONDS, *percentiles("mutt_db_write_latency_seconds")),
                lines(
                    "What requests ask of it", Unit.SECONDS,
                    percentile(0.99, "mutt_webui_db_query_latency_seconds", "operation"),
                    about="Rising: look at pg_stat_activity; audit searches over long stretches are the usual cause.",
                ),
                lines("Transactions", Unit.PER_SECOND, rate("mutt_db_write_latency_seconds_count", legend="batches")),
                SIZES,
                SESSIONS,
                PARTITIONS,
            ),
        ),
        Row(
            "Kafka",
            (
                lines("What a post waits for the broker", Unit.SECONDS, *percentiles("mutt_ingest_latency_seconds")),
                lines("Records that wait", Unit.COUNT, level("mutt_ingest_lag_records", how="max", legend="records")),
                lines(
                    "Partitions assigned", Unit.COUNT, level("mutt_partitions_assigned", "job"),
                    about="A dip is a rebalance.",
                ),
                POSITIONS,
            ),
        ),
        Row(
            "When one is away",
            (
                lines("Tries repeated", Unit.PER_SECOND, rate("mutt_store_retries_total", "service")),
                states("Circuit breakers", BreakerState, level("mutt_circuit_breaker_state", "name", how="max")),
                lines("Batches given up", Unit.PER_SECOND, rate("mutt_batches_fenced_total", legend="fenced")),
            ),
        ),
    ),
)  # fmt: skip
