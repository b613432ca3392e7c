"""The writer of batches on PostgreSQL: a small batch in one statement leaves what a large one leaves by COPY."""

from __future__ import annotations

import datetime as dt
from typing import Any

import asyncpg
import pytest

from schemas.config import DynamicConfig
from schemas.errors import Fenced, RowRefused
from schemas.rules import Handling
from schemas.topics import SYSLOG
from streams.adapters import batches
from streams.adapters.batch_statements import SMALL, is_small
from streams.adapters.batches import PostgresBatchStore, refused_offset
from streams.core.batches import PlainRecord
from streams.core.disposition import decide
from streams.core.matching import Knowledge
from streams.core.progress import Progress
from streams.core.signatures import SignatureBook
from streams.core.work import Decided, Work
from tests.builders import event_json, rule, rule_set
from tests.integration.conftest import Database

NOW = dt.datetime(2026, 11, 2, 12, 0, 30, tzinfo=dt.UTC)
AT = 1_793_620_800_000
TEXTS = ("link down on Gi0/1", "config saved\0 by admin", "heartbeat", "nothing knows this 1", "nothing knows this 2")
KNOWLEDGE = Knowledge.of(
    rule_set(
        rule(id=1, match_string="link down"),
        rule(id=2, match_string="config saved", prod_handling=Handling.LOG_ONLY),
        rule(id=3, match_string="heartbeat", prod_handling=Handling.IGNORE),
        config=DynamicConfig(audit_unhandled_events=True, unhandled_threshold=2),
    )
)
TABLES = {
    "audit": '"offset"',
    "alerts": '"offset"',
    "ledger": "first_offset",
    "sli": "component, minute",
    "unhandled_signatures": "signature",
    "partition_progress": "next_offset",
}
OF_THE_PARTITION = {"partition", "id", "alert_id", "payload", "signature", "created_at", "updated_at", "correlation_id"}
"""Differ from partition to partition, or from moment to moment."""


def batch(partition: int, *values: bytes, first: int = 0) -> Decided:
    records = [
        PlainRecord(first + at, AT + at, b"h1", value, ()) for at, value in enumerate(values or map(said, TEXTS))
    ]
    return decide(
        Work(
            topic=SYSLOG, partition=partition, first=first, after=first + len(records), records=records,
            knowledge=KNOWLEDGE, book=SignatureBook(), now=NOW,
        )
    )  # fmt: skip


def said(text: str) -> bytes:
    return event_json(message=text, timestamp="2026-11-02T12:00:00Z")


async def begun(store: PostgresBatchStore, partition: int) -> Progress:
    await store.begin(SYSLOG.name, partition, 0)
    progress = await store.progress(SYSLOG.name, partition)
    assert progress is not None
    return progress


async def left(pool: asyncpg.Pool, partition: int) -> dict[str, list[dict[str, Any]]]:
    """What the tables hold of a partition."""
    found = {}
    for table, order in TABLES.items():
        rows = await pool.fetch(f"SELECT * FROM {table} WHERE partition = $1 ORDER BY {order}", partition)
        found[table] = [{name: row[name] for name in set(row.keys()) - OF_THE_PARTITION} for row in rows]
    return found


async def test_one_statement_leaves_what_copy_leaves(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    store = PostgresBatchStore(database.pool)
    for partition, small in ((0, True), (1, False)):
        monkeypatch.setattr(batches, "is_small", is_small if small else lambda _: False)
        progress = await begun(store, partition)
        for first in (0, len(TEXTS)):
            decided = batch(partition, first=first)
            assert is_small(decided)
            progress = await store.commit(decided, progress)
            assert progress == await store.progress(SYSLOG.name, partition)
    at_once, by_parts = await left(database.pool, 0), await left(database.pool, 1)
    assert at_once == by_parts
    assert [len(at_once[table]) for table in ("audit", "alerts", "ledger")] == [8, 4, 1]


async def test_a_moved_partition_fences_the_one_statement_too(database: Database) -> None:
    store = PostgresBatchStore(database.pool)
    progress = await begun(store, 0)
    await store.commit(batch(0), progress)
    before = await left(database.pool, 0)
    with pytest.raises(Fenced):
        await store.commit(batch(0), progress)
    assert await left(database.pool, 0) == before


async def test_a_refused_row_of_a_small_batch_is_named_and_nothing_is_written(database: Database) -> None:
    store = PostgresBatchStore(database.pool)
    progress = await begun(store, 0)
    decided = batch(0)
    decided.audit[1] = (*decided.audit[1][:5], "h" * 20 + "\0", *decided.audit[1][6:])
    assert is_small(decided)
    with pytest.raises(RowRefused) as refused:
        await store.commit(decided, progress)
    assert refused_offset(decided, refused.value) == 1
    assert await store.progress(SYSLOG.name, 0) == progress


def test_what_is_large_or_has_letters_goes_by_parts() -> None:
    assert is_small(batch(0, *[said("config saved")] * SMALL))
    assert not is_small(batch(0, *[said("config saved")] * (SMALL + 1)))
    assert not is_small(batch(0, b"{"))
