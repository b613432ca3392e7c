"""`mutt ledger` against real tables and logs: books that balance, every way they can be cooked, and the reset."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import uuid
from typing import Any

import pytest

from schemas.dead_letters import Reason
from streams.adapters.dead_letters import DeadLetters
from tests.builders import dead_letter
from tests.integration.commands import mutt, produce

pytestmark = pytest.mark.integration

TOPIC = "mutt.ingest.raw"
THEN = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


async def progress(database: Any, next_offset: int, **columns: Any) -> None:
    await database.pool.execute(
        "INSERT INTO partition_progress (topic, partition, next_offset, epoch, halted_at, halted_reason)"
        " VALUES ($1, 2, $2, $3, $4, $5)",
        TOPIC,
        next_offset,
        columns.get("epoch", 0),
        columns.get("halted_at"),
        columns.get("halted_reason"),
    )


async def ledger_row(database: Any, first: int, after: int, **counts: int) -> None:
    counts = {"ignored": after - first - sum(counts.get(n, 0) for n in ("alerted", "rejected", "logged"))} | counts
    names = ", ".join(counts)
    await database.pool.execute(
        f"INSERT INTO ledger (topic, partition, epoch, first_offset, next_offset, minute, ruleset_version,"
        f" ruleset_digest, {names}) VALUES ($1, 2, 0, $2, $3, $4, 1, 'x',"
        f" {', '.join(str(count) for count in counts.values())})",
        TOPIC,
        first,
        after,
        THEN,
    )


async def audit_row(database: Any, offset: int, broker_time: dt.datetime = THEN, **columns: Any) -> None:
    await database.pool.execute(
        'INSERT INTO audit (topic, partition, "offset", broker_time, hostname, disposition, ruleset_version, message,'
        " raw, alert_id, rule_id, rule_version, handling, team)"
        " VALUES ($1, 2, $2, $3, 'h1', 'alerted', 1, 'm', 'm', $4, $5, $6, 'Page_only', 'netops')",
        TOPIC,
        offset,
        broker_time,
        columns.get("alert_id"),
        columns.get("rule_id"),
        columns.get("rule_version"),
    )


async def alert_row(database: Any, alert: uuid.UUID, offset: int) -> None:
    await database.pool.execute(
        'INSERT INTO alerts (id, kind, topic, partition, "offset", broker_time, hostname, severity, team, handling,'
        " payload, attempts, last_status) VALUES ($1, 'event', $2, 2, $3, $4, 'h1', 5, 't', 'Page_only', '{}', 2, 503)",
        alert,
        TOPIC,
        offset,
        THEN,
    )


async def balanced(database: Any, broker: Any) -> None:
    """Ten records: one alert, one rejected, a batch of three too large, the rest ignored."""
    assert produce(broker, TOPIC, 2, *(b"%d" % n for n in range(12))) == 12
    await progress(database, 10)
    await ledger_row(database, 0, 4, alerted=1, rejected=1, audited=1, alerts=1)
    await ledger_row(database, 4, 10, rejected=3)
    alert = uuid.uuid4()
    await audit_row(database, 1, alert_id=alert)
    await alert_row(database, alert, 1)
    at = {"topic": TOPIC, "partition": 2}
    batch = dead_letter(reason=Reason.TOO_LARGE, detail="offsets 5 to 7 are one batch that unpacks", offset=7, **at)
    letters = [
        dead_letter(reason=Reason.JSON, offset=3, **at),
        batch,
        dead_letter(reason=Reason.DELIVERY, offset=1, alert_id=alert, **at),
        dead_letter(reason=Reason.FOREIGN, offset=99, **at),
    ]
    await DeadLetters(database.pool).insert_absent(letters, THEN)


async def verify(database: Any, broker: Any) -> tuple[int, dict[str, Any], str]:
    done = await asyncio.to_thread(mutt, database, broker, "ledger", "verify", "--json")
    return done.returncode, json.loads(done.stdout), done.stderr


async def test_books_that_balance(database: Any, broker: Any) -> None:
    await balanced(database, broker)
    status, body, _ = await verify(database, broker)
    assert (status, body["faults"], body["ok"]) == (0, [], True)
    assert body["totals"]["offsets"] == 10
    assert body["totals"]["lag"] == 2
    assert body["totals"]["dispositions"]["ignored"] == 5
    shown = await asyncio.to_thread(mutt, database, broker, "ledger", "show")
    assert f"{TOPIC}:2 epoch 0 [0, 10) 2 rows" in shown.stdout


@pytest.mark.parametrize(
    ("cooked", "problem"),
    [
        ("DELETE FROM ledger WHERE first_offset = 0", "that no ledger row covers"),
        ("UPDATE partition_progress SET next_offset = 11", "[10, 11): the ledger ends at 10, progress stands at 11"),
        ("UPDATE ledger SET first_offset = 5, ignored = 2 WHERE first_offset = 4", "[4, 5): no ledger row"),
        ("UPDATE ledger SET audited = 2 WHERE first_offset = 0", "[0, 4): 2 audit rows by the ledger, 1 audit rows"),
        ("DELETE FROM alerts", "[0, 4): 1 alerts by the ledger, 0 alerts"),
        ("DELETE FROM dead_letters WHERE reason = 'json'", "[0, 4): 1 rejected or shed, 0 in dead letters"),
        ("DELETE FROM dead_letters WHERE reason = 'too_large'", "[4, 10): 3 rejected or shed, 0 in dead letters"),
        ("UPDATE partition_progress SET partition = 77", "the brokers know no such partition"),
    ],
)
async def test_cooked_books_are_found_and_named(database: Any, broker: Any, cooked: str, problem: str) -> None:
    await balanced(database, broker)
    await database.pool.execute(cooked)
    done = await asyncio.to_thread(mutt, database, broker, "ledger", "verify")
    assert done.returncode == 1
    assert problem in done.stdout
    assert TOPIC in done.stdout
    assert "do not balance" in done.stderr


async def test_a_reset_lets_a_halted_partition_go_on_and_is_audited(database: Any, broker: Any) -> None:
    await balanced(database, broker)
    await database.pool.execute("UPDATE partition_progress SET halted_at = now(), halted_reason = 'damaged'")
    where = ("--topic", TOPIC, "--partition", "2", "--yes", "--json")
    back = await asyncio.to_thread(mutt, database, broker, "ledger", "reset", "--to", "50", *where)
    assert back.returncode == 2
    done = await asyncio.to_thread(mutt, database, broker, "ledger", "reset", "--to", "latest", *where)
    assert done.returncode == 0, done.stderr
    row = await database.pool.fetchrow("SELECT epoch, next_offset, halted_at FROM partition_progress")
    assert tuple(row) == (1, 12, None)
    recorded = await database.pool.fetchrow("SELECT operation, table_name, object, new_values FROM config_audit")
    assert tuple(recorded)[:3] == ("LEDGER_RESET", "partition_progress", f"{TOPIC}:2")
    status, body, _ = await verify(database, broker)
    assert (status, body["faults"]) == (0, [])


async def test_epochs_of_a_replaced_log_are_told_apart(database: Any, broker: Any) -> None:
    """The old log's rows lie at the same offsets as the new one's, and long before them."""
    await balanced(database, broker)
    where = ("--topic", TOPIC, "--partition", "2", "--yes")
    done = await asyncio.to_thread(mutt, database, broker, "ledger", "reset", "--to", "earliest", *where)
    assert done.returncode == 0, done.stderr
    await database.pool.execute(
        "INSERT INTO ledger (topic, partition, epoch, first_offset, next_offset, minute, ruleset_version,"
        " ruleset_digest, alerted, audited) VALUES ($1, 2, 1, 0, 2, now(), 1, 'x', 2, 2)",
        TOPIC,
    )
    await database.pool.execute("UPDATE partition_progress SET next_offset = 2")
    now = dt.datetime.now(dt.UTC)
    await audit_row(database, 0, now)
    await audit_row(database, 1, now)
    status, body, _ = await verify(database, broker)
    assert (status, body["faults"]) == (0, [])


async def test_going_back_in_the_same_log_is_refused(database: Any, broker: Any) -> None:
    produce(broker, TOPIC, 2, b"a", b"b")
    await progress(database, 2)
    stamp = await asyncio.to_thread(mutt, database, broker, "trace", f"{TOPIC}:2:1", "--json")
    at = json.loads(stamp.stdout)["record"]["timestamp"]
    await audit_row(database, 1, dt.datetime.fromtimestamp(at / 1000, dt.UTC))
    where = ("--topic", TOPIC, "--partition", "2", "--yes")
    done = await asyncio.to_thread(mutt, database, broker, "ledger", "reset", "--to", "earliest", *where)
    assert done.returncode == 2
    assert "twice" in done.stderr
