"""What a dead-letters worker shows of the fleet: records that wait, ranges that do not follow, keys that end."""

from __future__ import annotations

import asyncio
import datetime as dt
import urllib.request

from ops.devstack.layout import free_port
from streams.adapters.accounts import Accounts
from tests.builders import event_json
from tests.integration.conftest import Database, System
from tests.integration.pipeline import until
from tests.integration.topics import produce_partitions

TOPIC = "mutt.ingest.syslog"
_RANGE = """
INSERT INTO ledger (topic, partition, epoch, first_offset, next_offset, minute, ruleset_version, ruleset_digest, logged)
VALUES ($1, 0, 0, $2::bigint, $3::bigint, now(), 1, '', $3::bigint - $2::bigint)
"""
_STANDS = "INSERT INTO partition_progress (topic, partition, next_offset) VALUES ($1, 0, $2)"


async def test_a_worker_shows_what_waits(system: System) -> None:
    records = [(number % 2, b"h", event_json()) for number in range(7)]
    await asyncio.to_thread(produce_partitions, system.stack.kafka.bootstrap, TOPIC, records)
    await system.database.pool.execute(_STANDS, TOPIC, 4)  # all of partition 0 is decided over
    await system.database.pool.execute(_RANGE, TOPIC, 0, 3)  # and the ledger ends before
    port = free_port()
    system.start("dead-letters-1", dead_letters_port=port)

    def shown() -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                lines = answer.read().decode().splitlines()
        except OSError:
            return False
        return {"mutt_ingest_lag_records 3.0", "mutt_ledger_faults 1.0"} <= set(lines)

    await until(lambda: asyncio.to_thread(shown), "three records wait, and one range does not follow")


async def test_ranges_that_follow_one_another_are_no_fault(system: System) -> None:
    pool = system.database.pool
    accounts = Accounts(pool, system.stack.kafka.bootstrap)
    await pool.execute(_STANDS, TOPIC, 30)
    for first, after in ((0, 10), (10, 20), (20, 30)):
        await pool.execute(_RANGE, TOPIC, first, after)
    assert (await accounts.read()).faults == 0
    await pool.execute("DELETE FROM ledger WHERE first_offset = 10")
    assert (await accounts.read()).faults == 1
    await pool.execute("UPDATE partition_progress SET next_offset = 31")
    assert (await accounts.read()).faults == 2
    await accounts.close()


async def test_the_first_client_without_a_key_is_the_one_that_counts(system: System) -> None:
    database, accounts = system.database, Accounts(system.database.pool, system.stack.kafka.bootstrap)
    assert (await accounts.read()).first_expiry is None
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    await add_key(database, "expired", now - dt.timedelta(days=1))
    await add_key(database, "rotated", now + dt.timedelta(days=1))
    await add_key(database, "rotated", None)
    assert (await accounts.read()).first_expiry is None
    await add_key(database, "next", now + dt.timedelta(days=3))
    await add_key(database, "later", now + dt.timedelta(days=9))
    assert (await accounts.read()).first_expiry == now + dt.timedelta(days=3)
    await accounts.close()


async def add_key(database: Database, client: str, expires_at: dt.datetime | None) -> None:
    number = await database.pool.fetchval("SELECT count(*) FROM api_keys")
    await database.pool.execute(
        "INSERT INTO api_keys (id, client, name, scopes, created_at, expires_at)"
        " VALUES ($1, $2, 'key', '{read}', now() - interval '9 days', $3)",
        f"key{number:09}",
        client,
        expires_at,
    )
