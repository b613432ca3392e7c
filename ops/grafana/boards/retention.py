"""Is what is past its time archived and deleted, and nothing else?"""

from __future__ import annotations

from ops.grafana.panels import Board, Row, Table, Unit, lines, number
from ops.grafana.queries import age, level

RUNS = Table(
    "Runs in this time",
    "SELECT started_at AS time, actor, outcome, extract(epoch FROM finished_at - started_at)::float8 AS took, rows,"
    " array_to_string(problems, '; ') AS problems"
    "  FROM retention_runs WHERE $__timeFilter(started_at) ORDER BY 1 DESC LIMIT 50",
    "failed: its problems say why. killed: the next run goes on where it stopped.",
    units=(("took", Unit.SECONDS),),
    width=24,
)
ARCHIVES = Table(
    "Archives, newest first",
    "SELECT created_at AS time, name, kind, state, rows, bytes, low, high FROM retention_archives"
    " WHERE state <> 'forgotten' ORDER BY 1 DESC LIMIT 50",
    "writing, verified or detached between runs: one was cut short. `mutt retention verify` reads their files again.",
    units=(("bytes", Unit.BYTES),),
    width=24,
)
HOLDS = Table(
    "Legal holds in force",
    "SELECT id, kind, since, until, set_by, set_at FROM legal_holds WHERE lifted_at IS NULL ORDER BY set_at",
    "What they keep grows. Hosts and reasons: `mutt retention hold list`.",
    width=8,
)


BOARD = Board(
    uid="mutt-retention",
    title="mutt: retention",
    question="Is what is past its time archived and deleted, and nothing else?",
    by_component=False,
    rows=(
        Row(
            "Does it run?",
            (
                number(
                    "Since the last good run", Unit.SECONDS,
                    age("mutt_retention_last_success_timestamp_seconds"), red_from=2 * 86_400,
                    about="Two days: look at the runs below, then at the timer.",
                ),
                number(
                    "Since the last run", Unit.SECONDS, age("mutt_retention_last_run_timestamp_seconds"),
                    red_from=2 * 86_400, about="Two days: the timer does not start it.",
                ),
                number(
                    "The last run failed", Unit.COUNT, level("mutt_retention_failing", how="max", legend="failed"),
                    red_from=1,
                ),
                number(
                    "Months ahead", Unit.COUNT, level("mutt_retention_partitions_ahead", how="min", legend="months"),
                    red_below=3, about="Partitions of the audit made before they are needed.",
                ),
                number(
                    "Rows without a month", Unit.COUNT,
                    level("mutt_retention_default_partition_rows", how="max", legend="rows"), red_from=1,
                    about="They are never archived: look at the brokers' clocks.",
                ),
                number("Legal holds", Unit.COUNT, level("mutt_retention_legal_holds", how="max", legend="holds")),
                RUNS,
            ),
        ),
        Row(
            "What it keeps",
            (
                lines(
                    "What a run takes", Unit.SECONDS,
                    level("mutt_retention_last_run_duration_seconds", how="max", legend="last run"),
                ),
                lines(
                    "Left undone", Unit.COUNT,
                    level("mutt_retention_expired_partitions", how="max", legend="partitions past their time"),
                    level("mutt_retention_unfinished_archives", how="max", legend="archives not finished"),
                    about="Above 0 after a run: it failed or was cut short.",
                ),
                lines(
                    "Archives, by size", Unit.BYTES, level("mutt_retention_archive_bytes", "table", how="max"),
                    level("mutt_retention_archive_free_bytes", how="min", legend="free on their disk"),
                    about="Less free than they grow by in a month: a bigger disk, or fewer years.",
                ),
                lines("Archives", Unit.COUNT, level("mutt_retention_archives", "table", how="max")),
                lines("Rows in archives", Unit.COUNT, level("mutt_retention_archived_rows", "table", how="max")),
                HOLDS,
                ARCHIVES,
            ),
        ),
    ),
)  # fmt: skip
