"""The demonstration's balance sheet on the real tables: any kind of loss unbalances it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from ops.demo.books import Received, Sides, balance

pytestmark = pytest.mark.integration

TOPIC = "mutt.ingest.raw"
ALERT, META, LETTER, SHED, OPEN, AGAIN, REPLAY = (f"00000000-0000-0000-0000-00000000000{n}" for n in range(1, 8))

# Seven records: one alerted, one logged, one rejected, one unhandled that crosses the threshold, two that were shed,
# and the replay of the first of these.
WORLD = f"""
INSERT INTO partition_progress (topic, partition, next_offset) VALUES ('{TOPIC}', 0, 7);
INSERT INTO alert_rules (id, match_string, prod_handling, dev_handling, alert_severity)
VALUES (900, 'm', 'Page_only', 'Log_only', 'warning');
INSERT INTO ledger (topic, partition, epoch, first_offset, next_offset, minute, ruleset_version, ruleset_digest,
                    alerted, logged, rejected, unhandled, shed, audited, alerts)
VALUES ('{TOPIC}', 0, 0, 0, 3, now(), 1, '', 1, 1, 1, 0, 0, 2, 1),
       ('{TOPIC}', 0, 0, 3, 4, now(), 1, '', 0, 0, 0, 1, 0, 1, 1),
       ('{TOPIC}', 0, 0, 4, 7, now(), 1, '', 1, 0, 0, 0, 2, 3, 1);
INSERT INTO audit (topic, partition, "offset", broker_time, hostname, disposition, ruleset_version, alert_id, message,
                   raw, rule_id, syslog_severity, replay_of)
VALUES ('{TOPIC}', 0, 0, now(), 'h', 'alerted', 1, '{ALERT}', 'm', '', 900, 5, NULL),
       ('{TOPIC}', 0, 1, now(), 'h', 'logged', 1, NULL, 'm', '', 900, 5, NULL),
       ('{TOPIC}', 0, 3, now(), 'h', 'unhandled', 1, '{META}', 'm', '', NULL, 5, NULL),
       ('{TOPIC}', 0, 4, now(), 'h', 'shed', 1, NULL, 'm', '', 900, 3, NULL),
       ('{TOPIC}', 0, 5, now(), 'h', 'shed', 1, NULL, 'm', '', 900, NULL, NULL),
       ('{TOPIC}', 0, 6, now(), 'h', 'alerted', 1, '{AGAIN}', 'm', '', 900, 3, '{SHED}');
INSERT INTO alerts (id, kind, topic, partition, "offset", broker_time, hostname, severity, team, handling, payload,
                    state)
VALUES ('{ALERT}', 'event', '{TOPIC}', 0, 0, now(), 'h', 3, 't', 'Page_only', '{{}}', 'delivered'),
       ('{META}', 'unhandled', '{TOPIC}', 0, 3, now(), 'h', 3, 't', 'Ticket_only', '{{}}', 'delivered'),
       ('{AGAIN}', 'event', '{TOPIC}', 0, 6, now(), 'h', 3, 't', 'Page_only', '{{}}', 'delivered');
INSERT INTO dead_letters (id, stage, reason, detail, topic, partition, "offset", broker_time, state, replays)
VALUES ('{LETTER}', 'decode', 'json', '', '{TOPIC}', 0, 2, now(), 'open', 0),
       ('{SHED}', 'match', 'shed', '', '{TOPIC}', 0, 4, now(), 'replayed', 1),
       ('{OPEN}', 'match', 'shed', '', '{TOPIC}', 0, 5, now(), 'open', 0);
INSERT INTO replays (id, actor, filter, selected, sent) VALUES ('{REPLAY}', 'remediation', '{{}}', 1, 1);
INSERT INTO dynamic_config (key, value) VALUES ('alerter_shed_mode', 'defer');
"""

LOSSES = {
    "an offset nobody counted": "UPDATE ledger SET first_offset = 2, next_offset = 3 WHERE first_offset = 3",
    "an audit row twice": """INSERT INTO audit (topic, partition, "offset", broker_time, hostname, disposition,
        ruleset_version, message, raw) SELECT topic, partition, "offset", broker_time + interval '1 s', hostname,
        disposition, ruleset_version, message, raw FROM audit WHERE "offset" = 1""",
    "an alert lost": f"DELETE FROM alerts WHERE id = '{ALERT}'",
    "an alert that waits": f"UPDATE alerts SET state = 'pending' WHERE id = '{ALERT}'",
    "an alert dead without a letter": f"UPDATE alerts SET state = 'dead' WHERE id = '{ALERT}'",
    "a letter lost": f"DELETE FROM dead_letters WHERE id = '{LETTER}'",
    "a letter for another reason": f"UPDATE dead_letters SET reason = 'depth' WHERE id = '{LETTER}'",
    "a partition left behind": "UPDATE partition_progress SET next_offset = 6",
    "a shed event without its letter": f"DELETE FROM dead_letters WHERE id = '{OPEN}'",
    "an event shed by no rule that is known": f"UPDATE dead_letters SET \"offset\" = 1000 WHERE id = '{OPEN}'",
    "an event shed at the floor": "UPDATE alert_rules SET alert_severity = 'critical'",
    "a shed letter that hangs": f"UPDATE dead_letters SET state = 'replaying' WHERE id = '{OPEN}'",
    "a replay that nobody sent": f"UPDATE dead_letters SET state = 'replayed', replays = 1 WHERE id = '{OPEN}'",
    "a replay that no letter counts": "UPDATE replays SET sent = 2",
    "a change of configuration behind the audit's back": """ALTER TABLE dynamic_config DISABLE TRIGGER audit_change;
        UPDATE dynamic_config SET value = 'dlq'""",
    "records gone from the log": "UPDATE ledger SET logged = 0, missing = 1 WHERE logged = 1",
}


LOGGED_ROW = f"""       ('{TOPIC}', 0, 1, now(), 'h', 'logged', 1, NULL, 'm', '', 900, 5, NULL),\n"""
NEVER_WRITTEN = {
    "an audit row": (LOGGED_ROW, ""),
    "the alert an audit row explains": (f"'alerted', 1, '{ALERT}'", "'alerted', 1, NULL"),
    "the letter an event was replayed from": (f"3, '{SHED}')", "3, NULL)"),
}
"""The audit is append-only, so what is missing there was never written."""


@pytest_asyncio.fixture
async def world(database: Any) -> asyncpg.Pool:
    pool: asyncpg.Pool = database.pool
    await pool.execute(WORLD)
    return pool


async def books(pool: asyncpg.Pool, **changes: Any) -> dict[str, Any]:
    received = Received(Counter({ALERT: 1, META: 2, AGAIN: 1}), Counter({503: 4}))
    sides = {"acknowledged": {(TOPIC, 0): 6}, "ends": {(TOPIC, 0): 7, (TOPIC, 1): 0}, "received": received}
    known = {"rejected": {"json": 1}, "storms": 1}
    async with pool.acquire() as connection:
        return await balance(connection, Sides(**sides | known | changes))  # type: ignore[arg-type]


async def test_a_sound_world_balances(world: asyncpg.Pool) -> None:
    found = await books(world)
    assert [line for line in found["checks"] if not line["ok"]] == []
    assert found["balanced"]
    assert found["produced"] == {TOPIC: 6, "total": 6, "replayed": 1}
    assert found["offsets"] == {"log_end": 7, "accounted": 7}
    assert found["shed"] == {"total": 2, "by_severity": {"4": 1, "3": 1}, "replayed": 1, "open": 1}
    assert found["alerts"] == {"committed": 3, "received": 3, "dead": 0, "pending": 0, "duplicates": 1, "meta": 1}


@pytest.mark.parametrize("loss", LOSSES)
async def test_a_loss_unbalances_the_books(world: asyncpg.Pool, loss: str) -> None:
    await world.execute(LOSSES[loss])
    assert not (await books(world))["balanced"]


@pytest.mark.parametrize("missing", NEVER_WRITTEN)
async def test_what_the_audit_never_got_unbalances_the_books(database: Any, missing: str) -> None:
    written, instead = NEVER_WRITTEN[missing]
    assert written in WORLD
    await database.pool.execute(WORLD.replace(written, instead))
    assert not (await books(database.pool))["balanced"]


@pytest.mark.parametrize(
    "changes",
    [
        {"acknowledged": {(TOPIC, 0): 7}},
        {"ends": {(TOPIC, 0): 8}},
        {"ends": {(TOPIC, 0): 7, (TOPIC, 1): 1}},
        {"received": Received(Counter({ALERT: 1, AGAIN: 1}), Counter())},
        {"received": Received(Counter({ALERT: 1, META: 1, AGAIN: 1, LETTER: 1}), Counter())},
        {"rejected": {"json": 2}},
        {"storms": 2},
    ],
    ids=str,
)
async def test_what_the_tables_do_not_explain_unbalances_the_books(
    world: asyncpg.Pool, changes: dict[str, Any]
) -> None:
    assert not (await books(world, **changes))["balanced"]
