"""An operator stops and resumes intake by command; who, why and since when is there for all to see."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from ops.devstack.layout import free_port
from schemas.errors import ConfigRefused
from streams.adapters.config_store import ConfigStore
from streams.adapters.transactions import Transactions
from streams.core.authors import Author
from tests.builders import event_json
from tests.integration.commands import mutt
from tests.integration.conftest import Database, System
from tests.integration.pipeline import add_rule, gauge, settled, until
from tests.integration.topics import produce

PAUSED = 'mutt_partitions_paused{reason="operator"}'


class Desk:
    """A worker, and the commands an operator has."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.pool = system.database.pool
        self.port = free_port()

    async def command(self, *arguments: str) -> dict[str, Any]:
        done = await asyncio.to_thread(mutt, self.system.database, self.system.stack, *arguments, "--json")
        assert (done.returncode, done.stderr) == (0, "")
        body: dict[str, Any] = json.loads(done.stdout)
        return body

    async def text(self, *arguments: str) -> str:
        done = await asyncio.to_thread(mutt, self.system.database, self.system.stack, *arguments)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    async def until_paused(self, count: int) -> float:
        """Waits for the gauge; returns how long it took."""

        async def as_wanted() -> bool:
            return await asyncio.to_thread(gauge, self.port, PAUSED) == count

        begun = time.monotonic()
        await until(as_wanted, f"{count} partitions are paused")
        return time.monotonic() - begun

    async def send(self, count: int) -> None:
        records = [(f"h{number}".encode(), event_json(message="link down")) for number in range(count)]
        await asyncio.to_thread(produce, self.system.stack.kafka.bootstrap, "mutt.ingest.syslog", records)

    async def standing(self) -> int:
        return int(await self.pool.fetchval("SELECT coalesce(sum(next_offset), 0) FROM partition_progress"))


async def test_an_operator_stops_intake_and_lets_it_go_on(system: System) -> None:
    desk = Desk(system)
    await add_rule(desk.pool, "link down")
    worker = system.start("match-1", match_port=desk.port)
    await desk.send(100)
    await settled(desk.pool, system.stack.kafka.bootstrap)

    done = await desk.command("pause", "--reason", "receiver moves house", "--actor", "ann")
    assert done["changed"]
    assert (done["operator"]["by"], done["operator"]["why"]) == ("ann", "receiver moves house")
    assert await desk.until_paused(24) < 5
    again = await desk.command("pause", "--actor", "bob")
    assert (again["changed"], again["operator"]) == (False, done["operator"])
    await desk.send(50)

    async def told() -> bool:
        shown = (await desk.command("pauses"))["pauses"]
        return {row["reason"] for row in shown} == {"operator"} and len(shown) == 24

    await until(told, "the board shows all partitions")
    assert await desk.standing() == 100
    text = await desk.text("pauses")
    assert "intake is paused by the operator; last word by ann since" in text
    assert "receiver moves house" in text
    assert "operator  mutt.ingest.syslog:0,1,2,3,4,5,6,7  since" in text

    assert (await desk.command("resume", "--actor", "bob"))["operator"]["paused"] is False
    await settled(desk.pool, system.stack.kafka.bootstrap)
    assert await desk.standing() == 150

    async def clear() -> bool:
        return (await desk.command("pauses"))["pauses"] == []

    await until(clear, "the board is clear")
    rows = await desk.pool.fetch("SELECT changed_by, operation, new_values, reason FROM config_audit ORDER BY id")
    trail = [tuple(row) for row in rows if '"ingest_paused"' in row[2] or '"value"' in row[2]]
    assert [(by, operation, why) for by, operation, _, why in trail] == [
        ("ann", "CREATE", "receiver moves house"),
        ("bob", "UPDATE", None),
    ]
    assert await asyncio.to_thread(worker.stop) == 0


async def test_configuration_is_shown_and_changed_by_command(database: Database, broker: Any) -> None:
    async def command(*arguments: str) -> tuple[int, Any, str]:
        done = await asyncio.to_thread(mutt, database, broker, "config", *arguments, "--json")
        return done.returncode, json.loads(done.stdout or "null"), done.stderr

    warn = "alerter_queue_warn_threshold"
    assert await command("set", f"{warn}=7", "alerter_shed_mode=defer", "--reason", "storm", "--actor", "ann") == (
        0,
        {"changed": {warn: {"before": None, "after": "7"}, "alerter_shed_mode": {"before": None, "after": "defer"}}},
        "",
    )
    _, shown, _ = await command("show", warn, "alerter_queue_shed_threshold")
    assert [(row["value"], row["set"]) for row in shown["keys"]] == [(7, True), (2000, False)]
    assert [row["bounds"] for row in shown["keys"]] == ["1 to 10000000 alerts", "2 to 10000000 alerts"]
    for wrong, named in ((f"{warn}=5000", "must be below"), ("alerter_warn=5", f"did you mean {warn}?")):
        status, _, said = await command("set", wrong)
        assert (status, named in said, said.count("\n")) == (65, True, 1)
    assert (await command("set", warn))[0] == 2
    assert (await command("unset", warn))[1] == {"changed": {warn: {"before": "7", "after": None}}}
    rows = await database.pool.fetch("SELECT changed_by, reason FROM config_audit WHERE object = $1 ORDER BY id", warn)
    assert tuple(rows[0]) == ("ann", "storm")
    assert len(rows) == 2


async def test_a_pause_of_a_worker_that_died_fades_and_a_halt_stays(system: System) -> None:
    desk = Desk(system)
    await desk.pool.execute(
        "INSERT INTO partition_pauses (topic, partition, reason, worker, since, seen_at) VALUES"
        " ('mutt.ingest.syslog', 3, 'sink', 'gone:1', now(), now() - interval '16 s'),"
        " ('mutt.alerts', 2, 'halted', 'here:2', now(), now()),"
        " ('mutt.ingest.snmp', 1, 'halted', 'here:1', now(), now()),"
        " ('mutt.ingest.syslog', 4, 'sink', 'here:1', now(), now())"
    )
    await desk.pool.execute(
        "INSERT INTO partition_progress (topic, partition, next_offset, halted_at, halted_reason)"
        " VALUES ('mutt.ingest.snmp', 1, 7, now(), 'the log went back')"
    )
    shown = (await desk.command("pauses"))["pauses"]
    assert [(row["topic"], row["partition"], row["reason"], row["detail"]) for row in shown] == [
        ("mutt.alerts", 2, "halted", None),
        ("mutt.ingest.snmp", 1, "halted", "the log went back"),
        ("mutt.ingest.syslog", 4, "sink", None),
    ]


async def test_changes_are_applied_together_or_not_at_all_and_audited(database: Database) -> None:
    store = ConfigStore(Transactions(database.pool))
    both = {"alerter_queue_warn_threshold": "6000", "alerter_queue_shed_threshold": "7000"}
    assert await store.change(both, Author("ann")) == {name: (None, text) for name, text in both.items()}
    with pytest.raises(ConfigRefused, match="must be below"):
        await store.change({"alerter_queue_hard_limit": "7000", "alerter_shed_mode": "defer"}, Author("ann"))
    assert await store.read() == both
    assert await store.change({"alerter_queue_shed_threshold": "7000"}, Author("bob")) == {}
    back = await store.change(dict.fromkeys(both), Author("bob", "enough"))
    assert back == {name: (text, None) for name, text in both.items()}
    rows = await database.pool.fetch("SELECT changed_by, operation, object, reason FROM config_audit ORDER BY id")
    assert [tuple(row) for row in rows] == [
        *(("ann", "CREATE", name, None) for name in both),
        *(("bob", "DELETE", name, "enough") for name in both),
    ]
