"""The checker finds what it is there to find: each planted fault turns its detector on, and only a fault does."""

from __future__ import annotations

import asyncio
import dataclasses

import asyncpg
import pytest

from ops.devstack.provision import create_database
from tests.chaos.checker import Report, Sources, anomalies, checked
from tests.chaos.checker.check import TOPICS
from tests.chaos.checker.kafka import Broker, Kept
from tests.integration.conftest import System
from tests.integration.load import Load, rules_for_load
from tests.integration.pipeline import settled
from tests.integration.topics import produce

ONE = "(SELECT id FROM alerts ORDER BY id LIMIT 1)"
LETTER = "(SELECT id FROM dead_letters ORDER BY id LIMIT 1)"
ROW = '(topic, partition, "offset") = (SELECT topic, partition, "offset" FROM audit WHERE rule_id = 2 LIMIT 1)'
REWRITTEN = {"order", "zombie"}
"""What an audit row that is written again looks like besides: its transaction is another."""

PLANTED = {
    "an audit row of an alert is gone": (f"DELETE FROM audit WHERE alert_id = {ONE}", {"ghost", "ledger", "decision"}),
    "an audit row is gone": (f"DELETE FROM audit WHERE {ROW}", {"ledger", "decision"}),
    "an audit row is there twice": (
        "INSERT INTO audit SELECT topic, partition, \"offset\", broker_time + interval '1 s', event_time, hostname,"
        " source, syslog_severity, disposition, rule_id, rule_version, ruleset_version, handling, team, alert_id,"
        " replay_of, correlation_id, trap_oid, message, flags, raw, raw_sha256 FROM audit LIMIT 1",
        {"twice", "ledger", "two_ids", "ghost", *REWRITTEN},
    ),
    "an alert is gone": (f"DELETE FROM alerts WHERE id = {ONE}", {"alert_lost", "ledger", "ghost"}),
    "an alert has another id": (
        f"UPDATE alerts SET id = gen_random_uuid() WHERE id = {ONE}",
        {"ghost", "alert_lost", "two_ids"},
    ),
    "an alert has another body": (f"UPDATE alerts SET payload = '{{}}' WHERE id = {ONE}", {"two_ids"}),
    "an offset is not accounted for": (
        "UPDATE ledger SET first_offset = first_offset + 1, ignored = ignored - 1 WHERE ignored > 0",
        {"ledger", "counters", "lost", "decision"},
    ),
    "progress runs ahead of the ledger": (
        "UPDATE partition_progress SET next_offset = next_offset + 5",
        {"ledger", "progress"},
    ),
    "progress is behind": (
        "UPDATE partition_progress SET next_offset = next_offset - 1",
        {"lost", "ledger", "progress", "stuck"},
    ),
    "a partition is halted": ("UPDATE partition_progress SET halted_reason = 'x' WHERE partition = 0", {"stuck"}),
    "a letter is gone": (f"DELETE FROM dead_letters WHERE id = {LETTER}", {"ledger", "ghost", "decision"}),
    "a letter has other bytes": (f"UPDATE dead_letters SET value = 'x' WHERE id = {LETTER}", {"bytes"}),
    "a letter has another header": (
        f"UPDATE dead_letters SET header_names = '{{a}}', header_values = '{{b}}' WHERE id = {LETTER}",
        {"bytes"},
    ),
    "audit keeps other bytes": (f"UPDATE audit SET raw = 'x' WHERE {ROW}", {"bytes", "decision", *REWRITTEN}),
    "a decision names another team": (f"UPDATE audit SET team = 'x' WHERE {ROW}", {"decision", *REWRITTEN}),
    "a decision names another rule": (f"UPDATE audit SET rule_id = 3 WHERE {ROW}", {"decision", *REWRITTEN}),
    "a decision names another version": (
        f"UPDATE audit SET ruleset_version = 1 WHERE {ROW}",
        {"decision", *REWRITTEN},
    ),
    "an ignored event is counted as unhandled": (
        "UPDATE ledger SET ignored = ignored - 1, unhandled = unhandled + 1 WHERE ignored > 0",
        {"decision"},
    ),
    "an offset is booked as missing": (
        "UPDATE ledger SET ignored = ignored - 1, missing = missing + 1 WHERE ignored > 0",
        {"lost", "counters", "decision"},
    ),
    "counters are off": ("UPDATE sli SET good = good - 1", {"counters"}),
    "a shed event has no letter": (
        f"UPDATE audit SET disposition = 'shed' WHERE {ROW}",
        {"shed", "decision", *REWRITTEN},
    ),
    "a record was committed out of order": (
        'UPDATE audit SET source = \'x\' WHERE "offset" = (SELECT min("offset") FROM audit)',
        {"order", "ghost"},
    ),
    "a change of configuration has no audit row": (
        "DELETE FROM config_audit WHERE id = (SELECT max(id) FROM config_audit)",
        {"config", "decision"},
    ),
    "a rule was changed behind the audit": ("UPDATE alert_rules SET priority = 7 WHERE id = 1", {"config"}),
}
"""Each statement, and the detectors it may turn on; at least one of them must."""


@pytest.mark.timeout(400)
async def test_each_planted_fault_is_noticed(system: System) -> None:
    pool, bootstrap = system.database.pool, system.stack.kafka.bootstrap
    await rules_for_load(pool)
    load = Load(bootstrap, 600, 300.0)
    load.start()
    worker = system.start("match-1")
    load.join()
    await settled(pool, bootstrap)
    assert await asyncio.to_thread(worker.stop) == 0
    topics = read_once(bootstrap)
    sources = Sources(dsn=system.database.dsn, acked=load.acked)
    clean = await checked(sources, topics)
    assert clean.ok, str(clean)
    assert looked_at(clean) >= 600
    missed = []
    await pool.close()
    for number, (what, (statement, detectors)) in enumerate(PLANTED.items()):
        dsn = await _spoiled(system, number, statement)
        report = await checked(dataclasses.replace(sources, dsn=dsn), topics)
        if report.ok or not report.detectors <= detectors:
            missed.append((what, report.found, report.anomalies[:3]))
    assert missed == []


def read_once(bootstrap: str) -> Kept:
    """The topics as they are now, for many checks."""
    broker = Broker(bootstrap)
    try:
        return Kept(broker, TOPICS)
    finally:
        broker.close()


def looked_at(report: Report) -> int:
    """Records of which each is either an audit row judged again, a letter, or a decision worked out from its bytes."""
    return report.counts["audit_rows"] + report.counts["letters"] + report.counts["decisions without a row"]


async def test_a_record_on_a_topic_that_nothing_explains_is_noticed(system: System) -> None:
    bootstrap = system.stack.kafka.bootstrap
    produce(bootstrap, "mutt.alerts", [(b"h", b'{"id": "00000000-0000-0000-0000-000000000000"}')])
    produce(bootstrap, "mutt.dlq", [(b"h", b"x")])
    found = await anomalies(system.database.dsn, bootstrap)
    assert [anomaly.detector for anomaly in found] == ["ghost", "ghost"]


UNGUARDED = "SET session_replication_role = replica"
"""Switches the triggers off that keep the audit append-only."""


async def _spoiled(system: System, number: int, statement: str) -> str:
    """The DSN of a copy of the test's database, commit times and all, with a fault planted in it."""
    source = system.settings.database_url.rpartition("/")[2]
    copy = f"{source}_spoiled_{number}"
    await create_database(system.settings, copy, template=source)
    dsn = f"{system.database.dsn.rpartition('/')[0]}/{copy}"
    connection = await asyncpg.connect(dsn)
    await connection.execute(UNGUARDED)
    done = await connection.execute(statement)
    await connection.close()
    assert not done.endswith(" 0"), f"changed nothing: {statement}"
    return dsn
