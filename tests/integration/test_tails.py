"""What `muttdev tail` and `muttdev shell kafka` show: what is there, and then what comes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any, cast

from ops.devstack.stack import Stack
from ops.tails.decisions import decisions
from ops.tails.prompt import Broker
from tests.integration.conftest import Database
from tests.integration.consoles import store_event

RAW = "mutt.ingest.raw"


async def test_decisions_are_shown_once_each_as_they_are_made(database: Database) -> None:
    for offset in range(3):
        await store_event(database, offset)
    rows = cast(Any, decisions(database.settings, 2))
    async with aclosing(rows):
        assert [await event(rows) for _ in range(2)] == ["mutt.ingest.syslog:0:1", "mutt.ingest.syslog:0:2"]
        for offset in (3, 4):
            await store_event(database, offset)
            assert await event(rows) == f"mutt.ingest.syslog:0:{offset}"


async def event(rows: AsyncIterator[Mapping[str, Any]]) -> str:
    return str((await anext(rows))["event"])


def test_a_look_around_at_a_broker(broker: Stack) -> None:
    kafka = Broker(broker.kafka.bootstrap)
    assert RAW in kafka.topics()
    assert (kafka.ends(), kafka.last(RAW)) == ({}, [])
    sent = [kafka.send(RAW, f"<34>Oct 11 22:14:15 h su: {number}", key="h") for number in range(3)]
    assert sum(kafka.ends().values()) == 3
    shown = kafka.last(RAW, 2)
    assert [row["event"] for row in shown] == sent[1:]
    assert "su: 2" in shown[-1]["value"]
