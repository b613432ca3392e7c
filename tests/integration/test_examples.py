"""The examples that need servers: a producer, an enrichment, and a question to an archive."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from ops.devstack.stack import Stack
from schemas.codec import decode
from schemas.topics import SYSLOG
from streams.adapters.archives import ArchiveFolder
from tests import examples
from tests.integration.commands import read_from
from tests.integration.conftest import Database
from tests.integration.test_api_guide import given

OWN = "site.events"


def test_events_of_the_producer_and_of_the_enrichment_are_what_mutt_reads(broker: Stack, tmp_path: Path) -> None:
    brokers = {"MUTT_KAFKA_BOOTSTRAP": broker.kafka.bootstrap}
    told = examples.run("producer", given="first\n\nsecond\n", **brokers).split()
    (tmp_path / "inventory.json").write_text(json.dumps({"h1": {"site": "north"}}))
    admin = AdminClient({"bootstrap.servers": broker.kafka.bootstrap})
    admin.create_topics([NewTopic(OWN, 1, 1)])[OWN].result(30)
    try:
        own = Producer({"bootstrap.servers": broker.kafka.bootstrap})
        own.produce(OWN, b'{"timestamp":"2026-03-01T12:00:00Z","hostname":"h1","message":"m"}', b"h1", 0)
        own.produce(OWN, b"no event", b"h1", 0)
        assert own.flush(30) == 0
        examples.run("enrichment", OWN, str(tmp_path / "inventory.json"), "2", **brokers)
    finally:
        admin.delete_topics([OWN])[OWN].result(30)
    assert told[:2] == ["mutt", "trace"]
    assert len(told) == 6
    found = [one for partition in range(SYSLOG.partitions) for one in read_from(broker, SYSLOG.name, partition, 0)]
    assert b"no event" in [value for _, value, _ in found]
    events = [decode(value, SYSLOG, key).event for key, value, _ in found if value != b"no event"]
    assert sorted(event.message for event in events) == ["first", "m", "second"]
    assert {event.hostname for event in events} == {"h1", socket.gethostname()}
    assert [event.structured_data for event in events if event.hostname == "h1"] == [{"inventory": {"site": "north"}}]


async def test_the_question_to_an_archive_is_answered(database: Database, tmp_path: Path) -> None:
    await given(database)
    lines = await database.pool.fetch("SELECT row_to_json(a)::text AS line FROM audit a")
    with ArchiveFolder(tmp_path).writer("audit_2026_03") as out:
        out.add([row["line"] for row in lines])
        out.seal()
    answer = await asyncio.to_thread(examples.run, "audit_archive", str(tmp_path))
    assert answer.split()[:4] == ["rule", "7", "core-1", "1"]
