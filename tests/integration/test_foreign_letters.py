"""Letters that other tools put on mutt.dlq: found by their origin, and replayed when they are named."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.builders import event_json
from tests.integration.commands import mutt, read_from
from tests.integration.conftest import System
from tests.integration.pipeline import until
from tests.integration.wire import Broker, Sent

pytestmark = pytest.mark.integration

CONNECT = (
    (b"__connect.errors.topic", b"orders"),
    (b"__connect.errors.partition", b"3"),
    (b"__connect.errors.offset", b"12"),
    (b"__connect.errors.connector.name", b"jdbc"),
    (b"__connect.errors.exception.message", b"bad \x1b[31mschema"),
)
STREAMS = (
    (b"__streams.errors.exception", b"org.example.Broken"),
    (b"__streams.errors.topic", b"mutt.ingest.snmp"),
    (b"__streams.errors.partition", b"1"),
    (b"__streams.errors.offset", b"7"),
)
SHARE = (
    (b"__dlq.errors.topic", b"jobs"),
    (b"__dlq.errors.partition", b"0"),
    (b"__dlq.errors.offset", b"41"),
    (b"__dlq.errors.group", b"workers"),
    (b"__dlq.errors.delivery.count", b"5"),
)
SPRING = (
    (b"kafka_dlt-original-topic", b"mutt.ingest.syslog"),
    (b"kafka_dlt-original-partition", (6).to_bytes(4, "big")),
    (b"kafka_dlt-original-offset", (2**40).to_bytes(8, "big")),
    (b"kafka_dlt-exception-fqcn", b"org.example.Boom"),
)
FAMILIES = {"connect": CONNECT, "streams": STREAMS, "share": SHARE, "spring": SPRING}


async def test_letters_of_other_tools_have_their_origin_and_reason(system: System) -> None:
    system.start("dead-letters-1")
    with Broker(system.stack.kafka.bootstrap) as broker:
        for name, headers in FAMILIES.items():
            broker.put("mutt.dlq", 0, Sent(name.encode(), event_json(), headers))

    async def indexed() -> object:
        return await system.database.pool.fetchval("SELECT count(*) = 4 FROM dead_letters")

    await until(indexed, "all letters are in the table")
    listed = await run(system, "list", "--reason", "foreign")
    found = {(one["event_id"], one["detail"]) for one in listed["letters"]}
    assert found == {
        ("orders:3:12", "put there by Kafka Connect (connector jdbc): bad \\x1b[31mschema"),
        ("mutt.ingest.snmp:1:7", "put there by Kafka Streams: org.example.Broken"),
        ("jobs:0:41", "put there by share group (group workers, deliveries 5)"),
        (f"mutt.ingest.syslog:6:{2**40}", "put there by Spring: org.example.Boom"),
    }
    groups = await run(system, "stats", "--by", "topic")
    assert {group["value"] for group in groups["groups"]} == {
        "orders",
        "mutt.ingest.snmp",
        "jobs",
        "mutt.ingest.syslog",
    }

    unnamed = await run(system, "replay", "--topic", "mutt.ingest.syslog", "--yes")
    assert (unnamed["sent"], unnamed["refused"]) == (0, {"by_choice": 1})
    named = await run(system, "replay", "--reason", "foreign", "--yes")
    assert (named["sent"], named["refused"]) == (2, {"no_origin": 2})
    [(key, value, headers)] = read_from(system.stack, "mutt.ingest.syslog", 6, 0)
    assert (key, value) == (b"spring", event_json())
    assert [(name.encode(), data) for name, data in headers[:-1]] == list(SPRING)


async def run(system: System, *arguments: str) -> Any:
    done = await asyncio.to_thread(mutt, system.database, system.stack, "dlq", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
