"""PostgreSQL restored to an older state (docs/OPERATIONS.md): what came since is decided again, or counted missing."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from msgspec.structs import replace

from ops.devstack.provision import create_database
from streams.adapters.database import create_pool
from tests.builders import event_json
from tests.integration.commands import mutt
from tests.integration.conftest import Database, System
from tests.integration.pipeline import add_rule, settled
from tests.integration.topics import produce_one

TOPIC = "mutt.ingest.syslog"
ALERTS = 'SELECT "offset", alert_id::text FROM audit WHERE topic = $1 ORDER BY "offset"'


class Site:
    """A system that can be dumped and restored."""

    def __init__(self, system: System, folder: Path) -> None:
        self.system = system
        self.dump = folder / "mutt.dump"
        self.bootstrap = system.stack.kafka.bootstrap

    async def run(self, *numbers: int) -> None:
        """A worker that processes these records, and what else is there, and stops."""
        for number in numbers:
            await asyncio.to_thread(produce_one, self.bootstrap, TOPIC, event_json(message=f"link down {number}"))
        worker = self.system.start("match-1")
        await settled(self.system.database.pool, self.bootstrap)
        assert await asyncio.to_thread(worker.stop) == 0, worker.tail()

    async def back_up(self) -> None:
        await self._postgres("pg_dump", "-Fc", "-f", str(self.dump), self.system.database.dsn)

    async def restore(self) -> None:
        """Into a database of its own: the old one stays as it is."""
        old = self.system.database
        name = old.settings.database_url.rpartition("/")[2] + "_restored"
        await create_database(old.settings, name)
        settings = replace(old.settings, database_url=old.settings.database_url.rpartition("/")[0] + f"/{name}")
        pool = await create_pool(settings, old.secrets, size=10)
        self.system.database = Database(settings, old.secrets, pool)
        await self._postgres("pg_restore", "--exit-on-error", "-d", self.system.database.dsn, str(self.dump))

    async def _postgres(self, program: str, *arguments: str) -> None:
        command = [str(self.system.stack.postgres.program(program)), *arguments]
        done = await asyncio.to_thread(
            subprocess.run, command, env=os.environ, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stderr

    async def alerts(self) -> dict[int, str]:
        """The alert of each offset."""
        return {row[0]: row[1] for row in await self.system.database.pool.fetch(ALERTS, TOPIC)}

    async def mutt(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return await asyncio.to_thread(mutt, self.system.database, self.system.stack, *arguments)

    async def ledger_findings(self) -> list[dict[str, Any]]:
        answer = json.loads((await self.mutt("doctor", "--json")).stdout)
        return [one for one in answer["findings"] if one["subject"].startswith((TOPIC + ":", "ledger"))]


@pytest_asyncio.fixture
async def site(system: System, tmp_path: Path) -> AsyncIterator[Site]:
    await add_rule(system.database.pool, "link down")
    made = Site(system, tmp_path)
    yield made
    made.system.database.pool.terminate()


async def test_what_came_after_the_backup_is_decided_again_under_the_same_ids(site: Site) -> None:
    await site.run(0, 1, 2)
    await site.back_up()
    await site.run(3, 4, 5)
    before = await site.alerts()
    await site.restore()
    assert list(await site.alerts()) == [0, 1, 2]
    await site.run(6)
    after = await site.alerts()
    assert list(after) == [0, 1, 2, 3, 4, 5, 6]
    assert {offset: after[offset] for offset in before} == before
    assert (await site.mutt("ledger", "verify")).returncode == 0
    assert [one["verdict"] for one in await site.ledger_findings()] == ["ok"]


async def test_what_the_topics_no_longer_have_is_counted_as_missing(site: Site) -> None:
    await site.run(0, 1, 2)
    await site.back_up()
    await site.run(3, 4, 5)
    await asyncio.to_thread(delete_before, site.bootstrap, 5)
    await site.restore()
    (told,) = await site.ledger_findings()
    assert (told["verdict"], told["says"]) == ("wrong", "2 records are gone that the ledger has not counted")
    await site.run(6)
    assert list(await site.alerts()) == [0, 1, 2, 5, 6]
    assert await site.system.database.pool.fetchval("SELECT sum(missing)::int FROM ledger") == 2
    assert (await site.mutt("ledger", "verify")).returncode == 0


def delete_before(bootstrap: str, offset: int) -> None:
    """As retention does."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    (answer,) = admin.delete_records([TopicPartition(TOPIC, 0, offset)]).values()
    answer.result(30)
