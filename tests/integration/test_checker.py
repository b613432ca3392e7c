"""The checker finds what it is there to find: each planted fault turns its detector on, and only a fault does."""

from __future__ import annotations

import asyncio

from tests.integration.checker import anomalies, compare, read_topics
from tests.integration.conftest import System
from tests.integration.load import Load, rules_for_load
from tests.integration.pipeline import settled
from tests.integration.topics import produce

ONE = "(SELECT id FROM alerts ORDER BY id LIMIT 1)"
LETTER = "(SELECT id FROM dead_letters ORDER BY id LIMIT 1)"
ROW = '(topic, partition, "offset") = (SELECT topic, partition, "offset" FROM audit WHERE rule_id = 2 LIMIT 1)'

PLANTED = {
    "an audit row of an alert is gone": (f"DELETE FROM audit WHERE alert_id = {ONE}", {"ghost", "ledger"}),
    "an audit row is gone": (f"DELETE FROM audit WHERE {ROW}", {"ledger"}),
    "an audit row is there twice": (
        "INSERT INTO audit SELECT topic, partition, \"offset\", broker_time + interval '1 s', event_time, hostname,"
        " source, syslog_severity, disposition, rule_id, rule_version, ruleset_version, handling, team, alert_id,"
        " replay_of, correlation_id, trap_oid, message, flags, raw, raw_sha256 FROM audit LIMIT 1",
        {"twice", "ledger", "order"},
    ),
    "an alert is gone": (f"DELETE FROM alerts WHERE id = {ONE}", {"alert_lost", "ledger", "ghost"}),
    "an alert has another id": (
        f"UPDATE alerts SET id = gen_random_uuid() WHERE id = {ONE}",
        {"ghost", "alert_lost"},
    ),
    "an alert has another body": (f"UPDATE alerts SET payload = '{{}}' WHERE id = {ONE}", {"two_ids"}),
    "an offset is not accounted for": (
        "UPDATE ledger SET first_offset = first_offset + 1, ignored = ignored - 1 WHERE ignored > 0",
        {"ledger", "counters"},
    ),
    "progress runs ahead of the ledger": ("UPDATE partition_progress SET next_offset = next_offset + 5", {"ledger"}),
    "progress is behind": (
        "UPDATE partition_progress SET next_offset = next_offset - 1",
        {"lost", "ledger", "progress"},
    ),
    "a letter is gone": (f"DELETE FROM dead_letters WHERE id = {LETTER}", {"ledger", "ghost"}),
    "a letter has other bytes": (f"UPDATE dead_letters SET value = 'x' WHERE id = {LETTER}", {"bytes"}),
    "a letter has another header": (
        f"UPDATE dead_letters SET header_names = '{{a}}', header_values = '{{b}}' WHERE id = {LETTER}",
        {"bytes"},
    ),
    "audit keeps other bytes": (f"UPDATE audit SET raw = 'x' WHERE {ROW}", {"bytes", "order"}),
    "counters are off": ("UPDATE sli SET good = good - 1", {"counters"}),
    "a shed event has no letter": (f"UPDATE audit SET disposition = 'shed' WHERE {ROW}", {"shed", "order"}),
    "a record was committed out of order": (
        'UPDATE audit SET team = \'x\' WHERE "offset" = (SELECT min("offset") FROM audit)',
        {"order"},
    ),
}
"""Each statement, and the detectors it may turn on; at least one of them must."""


async def test_each_planted_fault_is_noticed(system: System) -> None:
    pool, bootstrap = system.database.pool, system.stack.kafka.bootstrap
    await rules_for_load(pool)
    load = Load(bootstrap, 600, 300.0)
    load.start()
    worker = system.start("match-1")
    load.join()
    await settled(pool, bootstrap)
    assert await asyncio.to_thread(worker.stop) == 0
    topics = await asyncio.to_thread(read_topics, bootstrap)
    assert await compare(system.database.dsn, topics, load.acked) == []
    missed = []
    for what, (statement, detectors) in PLANTED.items():
        await _spoil(system, statement)
        found = {anomaly.detector for anomaly in await compare(system.database.dsn, topics, load.acked)}
        if not found or not found <= detectors:
            missed.append((what, found))
        await _restore(system)
    assert missed == []


async def test_a_record_on_a_topic_that_nothing_explains_is_noticed(system: System) -> None:
    bootstrap = system.stack.kafka.bootstrap
    produce(bootstrap, "mutt.alerts", [(b"h", b'{"id": "00000000-0000-0000-0000-000000000000"}')])
    produce(bootstrap, "mutt.dlq", [(b"h", b"x")])
    found = await anomalies(system.database.dsn, bootstrap)
    assert [anomaly.detector for anomaly in found] == ["ghost", "ghost"]


TABLES = ("audit", "alerts", "dead_letters", "ledger", "sli", "partition_progress")
UNGUARDED = "SET LOCAL session_replication_role = replica"
"""Switches the triggers off that keep the audit append-only."""


async def _spoil(system: System, statement: str) -> None:
    """Keeps a copy of every table, with the commit times that order is read from, and plants the fault."""
    async with system.database.pool.acquire() as connection, connection.transaction():
        await connection.execute(UNGUARDED)
        if await connection.fetchval("SELECT to_regclass('kept_audit')") is None:
            for table in TABLES:
                await connection.execute(f"CREATE TABLE kept_{table} AS TABLE {table}")
        done = await connection.execute(statement)
    assert not done.endswith(" 0"), f"changed nothing: {statement}"


async def _restore(system: System) -> None:
    async with system.database.pool.acquire() as connection, connection.transaction():
        await connection.execute(UNGUARDED)
        for table in TABLES:
            await connection.execute(f"DELETE FROM {table}; INSERT INTO {table} SELECT * FROM kept_{table}")
