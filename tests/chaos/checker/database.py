"""PostgreSQL as the checker reads it: its own SQL, one partition at a time, all from one snapshot."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from tests.chaos.checker.evidence import (
    INGEST,
    JUDGED,
    KINDS,
    AlertRow,
    AuditRow,
    Epoch,
    Headers,
    LedgerRow,
    Letter,
    LetterFact,
    Partition,
    Place,
    Standing,
    World,
)

TIMEOUT_S = 900.0
_MICROS = "(extract(epoch FROM {})*1000000)::bigint"
_MS = "(extract(epoch FROM broker_time)*1000)::bigint"

_AUDIT = """
SELECT "offset", {ms}, hostname, syslog_severity, disposition, rule_id, rule_version, ruleset_version, handling, team,
       alert_id, replay_of, trap_oid, message, coalesce(flags, '{{}}'), raw, {committed}, xmin::text::bigint
  FROM audit WHERE topic = $1 AND partition = $2 ORDER BY "offset", broker_time
"""
_ALERTS = f"""
SELECT id, kind, "offset", {_MS}, hostname, severity, rule_id, team, handling, payload::text, state, attempts,
       {_MICROS.format("created_at")}, {_MICROS.format("settled_at")}
  FROM alerts WHERE topic = $1 AND partition = $2 ORDER BY "offset", id
"""
_LETTER = f"""
SELECT id, stage, reason, detail, topic, partition, "offset", {_MS} AS at, key, value, header_names, header_values,
       rule_id, alert_id, state, replays, replay_id, replay_of, {_MICROS.format("replayed_at")} AS replayed,
       {_MICROS.format("first_failed_at")} AS failed
  FROM dead_letters
"""
_LETTERS = _LETTER + ' WHERE topic = $1 AND partition = $2 AND stage = ANY($3) ORDER BY "offset", id'
_OTHERS = _LETTER + " WHERE NOT (stage = ANY($1) AND topic = ANY($2)) ORDER BY id"
_LEDGER = f"""
SELECT epoch, first_offset, next_offset, ruleset_version, {", ".join(KINDS)}, audited, alerts, last_sha256
  FROM ledger WHERE topic = $1 AND partition = $2 ORDER BY epoch, first_offset
"""
_SLI = """
SELECT component, sum(good)::bigint AS good, sum(total)::bigint AS total
  FROM sli WHERE topic = $1 AND partition = $2 GROUP BY component
"""
_EPOCHS = """
SELECT object, (new_values ->> 'epoch')::integer AS epoch, (new_values ->> 'since')::timestamptz AS since
  FROM config_audit WHERE operation = 'LEDGER_RESET' ORDER BY id
"""


class Database:
    """One snapshot of the tables."""

    def __init__(self, connection: Any, *, dates_commits: bool) -> None:
        self.connection = connection
        self.dates_commits = dates_commits
        """Whether the server tells when a transaction committed."""

    def committed(self, xmin: str = "xmin") -> str:
        """The SQL for when the transaction of a row committed, µs."""
        return _MICROS.format(f"pg_xact_commit_timestamp({xmin})") if self.dates_commits else "NULL::bigint"

    async def fetch(self, query: str, *values: Any) -> list[Any]:
        rows: list[Any] = await self.connection.fetch(query, *values, timeout=TIMEOUT_S)
        return rows

    async def places(self) -> list[Place]:
        """Every ingest partition that any table names."""
        tables = ("partition_progress", "ledger", "audit", "alerts", "dead_letters", "sli")
        query = " UNION ".join(f"SELECT topic, partition FROM {table} WHERE topic = ANY($1)" for table in tables)
        return sorted((row["topic"], row["partition"]) for row in await self.fetch(query, list(INGEST)))

    async def partition(self, place: Place) -> Partition:
        """All that the tables have of one partition."""
        audit = await self.fetch(_AUDIT.format(ms=_MS, committed=self.committed()), *place)
        alerts = await self.fetch(_ALERTS, *place)
        return Partition(
            *place,
            standing=await self._standing(place),
            epochs=await self._epochs(place),
            ledger=[_ledger_row(row) for row in await self.fetch(_LEDGER, *place)],
            audit=[AuditRow._make((*row[:14], tuple(row[14]), *row[15:])) for row in map(tuple, audit)],
            alerts=[AlertRow._make((*row[:9], row[9].encode(), *row[10:])) for row in map(tuple, alerts)],
            letters=[_letter(row) for row in await self.fetch(_LETTERS, *place, list(JUDGED))],
            sli={row["component"]: (row["good"], row["total"]) for row in await self.fetch(_SLI, *place)},
        )

    async def world(self) -> World:
        """What belongs to no single partition."""
        world = World(others=[_letter(row) for row in await self.fetch(_OTHERS, list(JUDGED), list(INGEST))])
        for row in await self.fetch(_LETTER.replace("key, value, header_names, header_values,", "")):
            world.letters[row["id"]] = LetterFact(
                (row["topic"], row["partition"], row["offset"]), row["reason"], row["state"], row["replays"],
                row["replay_id"], row["replayed"],
            )  # fmt: skip
        taken = "SELECT letter_id, replay_id FROM letter_log WHERE action = 'replayed' AND replay_id IS NOT NULL"
        world.replays = [(row["letter_id"], row["replay_id"]) for row in await self.fetch(taken)]
        ages = await self.fetch(
            "SELECT FROM config_audit WHERE table_name = 'dynamic_config' AND object = 'moog_retry_max_age'"
            " AND new_values ->> 'value' <> '0'"
        )
        world.retry_max_age = bool(ages)
        return world

    async def _standing(self, place: Place) -> Standing | None:
        rows = await self.fetch(
            "SELECT epoch, next_offset, halted_reason FROM partition_progress WHERE topic = $1 AND partition = $2",
            *place,
        )
        return Standing(*rows[0]) if rows else None

    async def _epochs(self, place: Place) -> tuple[Epoch, ...]:
        """The epochs of a partition; where a reset says that the log is another, its times bound them."""
        since: dict[int, dt.datetime | None] = defaultdict(lambda: None, {0: None})
        for row in await self.fetch(_EPOCHS):
            if row["object"] == f"{place[0]}:{place[1]}":
                since[row["epoch"]] = row["since"]
        epochs: list[Epoch] = []
        until: int | None = None
        for number in sorted(since, reverse=True):
            begins = _ms(since[number])
            epochs.append(Epoch(number, begins, until))
            until = begins if begins is not None else until
        return tuple(reversed(epochs))


@asynccontextmanager
async def snapshot(dsn: str) -> AsyncIterator[Database]:
    """The tables as they are at one moment, however long reading takes."""
    connection = await asyncpg.connect(dsn, timeout=30)
    try:
        dates = await connection.fetchval("SELECT current_setting('track_commit_timestamp')") == "on"
        await connection.execute("SET TimeZone = 'UTC'")
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            yield Database(connection, dates_commits=dates)
    finally:
        await connection.close(timeout=10)


def _ledger_row(row: Any) -> LedgerRow:
    counts = {kind: row[kind] for kind in KINDS}
    return LedgerRow(
        row["epoch"], row["first_offset"], row["next_offset"], row["ruleset_version"], counts, row["audited"],
        row["alerts"], row["last_sha256"],
    )  # fmt: skip


def _letter(row: Any) -> Letter:
    headers: Headers = tuple(zip(row["header_names"], row["header_values"], strict=True))
    return Letter(
        row["id"], row["stage"], row["reason"], row["detail"], row["topic"], row["partition"], row["offset"], row["at"],
        row["key"], row["value"], headers, row["rule_id"], row["alert_id"], row["state"], row["replays"],
        row["replay_id"], row["replay_of"], row["replayed"], row["failed"],
    )  # fmt: skip


def _ms(moment: dt.datetime | None) -> int | None:
    return None if moment is None else round(moment.timestamp() * 1000)
