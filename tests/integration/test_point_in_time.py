"""PostgreSQL taken back to an instant from a base backup and archived log (docs/OPERATIONS.md): the books balance."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient

from tests.architecture.documents import ROOT
from tests.builders import event_json
from tests.chaos.checker import committed_offsets
from tests.integration.archived import archiving
from tests.integration.commands import mutt
from tests.integration.conftest import Database, System, end_workers
from tests.integration.forwarding import Receiver, listening
from tests.integration.pipeline import add_rule, settled, until
from tests.integration.topics import produce_one

TOPIC = "mutt.ingest.syslog"
AGAIN = "UPDATE alerts SET published_at = NULL WHERE state = 'pending'"


class Site:
    """The system on a database that can go back, and what its receiver got."""

    def __init__(self, system: System, receiver: Receiver) -> None:
        self.system = system
        self.receiver = receiver
        self.bootstrap = system.stack.kafka.bootstrap

    async def decide(self, *numbers: int) -> None:
        """These records come and are decided."""
        for number in numbers:
            await asyncio.to_thread(produce_one, self.bootstrap, TOPIC, event_json(message=f"link down {number}"))
        await settled(self.system.database.pool, self.bootstrap)

    def start(self, *workers: str) -> None:
        for name in workers:
            self.system.start(name, webhook_url=self.receiver.url)

    async def stop(self) -> None:
        for child in list(self.system.stack.children.values()):
            if child.running and child.name != "sink":
                assert await asyncio.to_thread(child.stop) == 0, child.tail()

    async def alerts(self) -> dict[int, tuple[str, str]]:
        """Id and state of the alert of each offset."""
        rows = await self.system.database.pool.fetch('SELECT "offset", id::text, state FROM alerts ORDER BY "offset"')
        return {offset: (identity, state) for offset, identity, state in rows}

    async def delivered(self) -> None:
        async def all_of_them() -> bool:
            return {state for _, state in (await self.alerts()).values()} == {"delivered"}

        await until(all_of_them, "every alert is delivered")

    async def has_letter(self) -> None:
        """The one that the forwarder wrote, of a record that is no alert."""

        async def there() -> bool:
            return bool(await self.system.database.pool.fetchval("SELECT count(*) = 1 FROM dead_letters"))

        await until(there, "the letter is in the table")

    async def mutt(self, *arguments: str) -> Any:
        return await asyncio.to_thread(mutt, self.system.database, self.system.stack, *arguments)

    async def doctor_on_alerts(self) -> list[tuple[str, str]]:
        findings = json.loads((await self.mutt("doctor", "--json")).stdout)["findings"]
        return [(one["verdict"], one["says"]) for one in findings if one["subject"] == "alerts"]


@pytest.mark.timeout(300)
async def test_a_database_older_than_what_kafka_has_committed_catches_up_and_delivers(
    broker: Any, tmp_path: Path
) -> None:
    """Nothing waits for ever: not what was decided since, and not what was delivered since."""
    with archiving(broker, tmp_path) as postgres:
        async with listening() as receiver:
            site = Site(System(broker, await postgres.begin()), receiver)
            try:
                await walk(site, postgres)
            finally:
                end_workers(broker)
                site.system.database.pool.terminate()


async def walk(site: Site, postgres: Any) -> None:
    first: Database = site.system.database
    await add_rule(first.pool, "link down")
    site.start("match-1")
    await site.decide(0, 1, 2)
    await postgres.back_up(first.dsn)
    await site.decide(3, 4, 5)
    instant = str(await first.pool.fetchval("SELECT clock_timestamp()"))
    await asyncio.to_thread(produce_one, site.bootstrap, "mutt.alerts", b"no alert of mutt")
    site.start("forward-1", "dead-letters-1")
    await site.decide(6, 7, 8)
    await site.delivered()
    await site.has_letter()
    before = await site.alerts()
    await site.stop()
    await postgres.archived(first)
    first.pool.terminate()

    site.system.database = await postgres.go_back(instant)
    stands = await site.system.database.pool.fetchval("SELECT max(next_offset) FROM partition_progress")
    committed = await asyncio.to_thread(committed_offsets, site.bootstrap)
    assert (stands, committed[TOPIC, 0]) == (6, 9)
    assert await site.alerts() == {offset: (before[offset][0], "pending") for offset in range(6)}
    assert not await site.system.database.pool.fetchval("SELECT count(*) FROM dead_letters")
    told = "6 alerts wait that no forwarder will read: it has acknowledged all of mutt.alerts"
    assert await site.doctor_on_alerts() == [("wrong", told)]

    assert AGAIN in (ROOT / "docs" / "OPERATIONS.md").read_text()
    await site.system.database.pool.execute(AGAIN)
    await asyncio.to_thread(forget_group, site.bootstrap, "mutt-dead-letters")
    site.start("match-1", "forward-1", "dead-letters-1")
    await site.has_letter()
    await site.decide(9)
    await site.delivered()
    after = await site.alerts()
    assert {offset: after[offset] for offset in before} == before
    assert list(after) == list(range(10))
    posts = Counter(post.identity for post in site.receiver.posts)
    assert posts == {identity: 1 if offset == 9 else 2 for offset, (identity, _) in after.items()}
    assert await site.doctor_on_alerts() == [("ok", "every alert is settled or will be")]
    verified = await site.mutt("ledger", "verify")
    assert verified.returncode == 0, verified.stdout
    await site.stop()


def forget_group(bootstrap: str, group: str) -> None:
    """As kafka-consumer-groups.sh --delete does."""
    admin = AdminClient({"bootstrap.servers": bootstrap})  # it answers for as long as it is held
    admin.delete_consumer_groups([group], request_timeout=30)[group].result(60)
