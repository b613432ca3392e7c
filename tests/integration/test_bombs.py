"""Bombs among good records on the real path: small batches never become much memory, and nothing else stops."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ops.devstack.processes import Child
from tests.chaos.checker import anomalies
from tests.integration.bad_inputs import E
from tests.integration.bombs import BOMBS, FULL, MIB, Bomb, allowed, nested
from tests.integration.conftest import ForkedStack, System
from tests.integration.pipeline import add_rule, settled
from tests.integration.wire import CODECS, Broker, Sent, batch

TOPIC = "mutt.ingest.syslog"
GOOD = E.replace(b'"m"', b'"link down"')
PARTITIONS = 8
MOST_MIB = 400
"""Of a worker, whatever arrives: it holds 64 MiB of records, and a batch is unpacked into 32 MiB at a time."""
Place = tuple[int, int]


class Load(NamedTuple):
    """How many bombs among how many good records."""

    bombs: int
    good: int
    within_s: float


CHECK = Load(10, 1_200, 120)
CAMPAIGN = Load(1_000, 100_000, 1_800)


@pytest.mark.parametrize(
    "load",
    [
        pytest.param(CHECK, id="ten"),
        pytest.param(CAMPAIGN, id="thousand", marks=[pytest.mark.campaign, pytest.mark.timeout(2_400)]),
    ],
)
async def test_K14_bombs_among_good_records(load: Load, system: System) -> None:
    pool, bootstrap = system.database.pool, system.stack.kafka.bootstrap
    await add_rule(pool, "link down", "Log_only")
    worker = _unforked(system)
    sent = await asyncio.to_thread(_send, bootstrap, load)
    await settled(pool, bootstrap, within=load.within_s)
    letters = {(row["partition"], row["offset"]): row for row in await pool.fetch("SELECT * FROM dead_letters")}
    assert worker.running
    assert peak_mib(worker) < MOST_MIB
    assert len(letters) == load.bombs
    for place, bomb in sent.items():
        _assert_one_letter(letters[place[0], place[1] + bomb.records - 1], place, bomb)
    kinds = await pool.fetchrow("SELECT sum(logged)::int AS logged, sum(rejected)::bigint AS rejected FROM ledger")
    assert dict(kinds) == {"logged": load.good, "rejected": sum(bomb.records for bomb in sent.values())}
    assert await anomalies(system.database.dsn, None) == []
    assert await asyncio.to_thread(worker.stop) == 0


def _send(bootstrap: str, load: Load) -> dict[Place, Bomb]:
    """Good records in small batches, a bomb after every so many; where the bombs lie."""
    sent: dict[Place, Bomb] = {}
    bombs = _bombs(load.bombs)
    each = load.good // load.bombs
    with Broker(bootstrap) as broker:
        for number, bomb in enumerate(bombs):
            at = number % PARTITIONS
            broker.send(TOPIC, at, batch([Sent(b"h1", GOOD)] * (each // 2)))
            sent[at, broker.send(TOPIC, at, bomb.batch)] = bomb
            broker.send(TOPIC, at, batch([Sent(b"h1", GOOD)] * (each - each // 2)))
    return sent


def _bombs(count: int) -> Iterator[Bomb]:
    """Every kind, then kinds drawn from a seed."""
    draw = random.Random(7)
    kinds = list(BOMBS)
    for number in range(count):
        yield BOMBS[kinds[number] if number < len(kinds) else draw.choice(kinds)]()


def _assert_one_letter(letter: Any, place: Place, bomb: Bomb) -> None:
    last = place[1] + bomb.records - 1
    assert (letter["reason"], letter["stage"]) == ("too_large", "decode")
    assert letter["detail"].startswith(f"offsets {place[1]} to {last} are one batch that unpacks beyond ")
    assert letter["value"][61:] == bomb.payload  # the broker writes the 61 bytes before it anew


def _unforked(system: System) -> Child:
    """A match worker whose memory is its own: a forked one also holds what other programs have imported."""
    assert isinstance(system.stack, ForkedStack)
    system.stack.forks = False
    try:
        return system.start("match-1")
    finally:
        system.stack.forks = True


def peak_mib(worker: Child) -> int:
    """The most memory the process ever held."""
    status = Path(f"/proc/{worker.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


async def test_K14b_batches_below_the_limit_are_judged_record_by_record_and_never_fill_memory(system: System) -> None:
    """A gigabyte in 1 MB of log: polls end before it is all unpacked."""
    pool, bootstrap = system.database.pool, system.stack.kafka.bootstrap
    await add_rule(pool, "link down", "Ignore")
    kinds = {"values": 16, "keys": 8, "headers": 8}
    with Broker(bootstrap) as broker:
        for at, (kind, count) in enumerate(kinds.items()):
            for _ in range(count):
                await asyncio.to_thread(broker.send, TOPIC, at, allowed(kind))
    worker = _unforked(system)
    await settled(pool, bootstrap, within=120)
    assert await pool.fetchval("SELECT sum(ignored) FROM ledger") == sum(kinds.values()) * FULL
    assert worker.running
    assert peak_mib(worker) < MOST_MIB
    assert await asyncio.to_thread(worker.stop) == 0


@pytest.mark.parametrize("codec", CODECS)
async def test_K14b_large_records_within_a_batch_are_letters_by_themselves(codec: str, system: System) -> None:
    pool, bootstrap = system.database.pool, system.stack.kafka.bootstrap
    await add_rule(pool, "link down", "Log_only")
    records = [Sent(b"h1", b" " * (5 * MIB)), Sent(b"h1", GOOD), nested(codec), Sent(b"h1", b"x" * (2 * MIB))]
    worker = _unforked(system)
    with Broker(bootstrap) as broker:
        await asyncio.to_thread(broker.send, TOPIC, 0, batch(records, codec))
    await settled(pool, bootstrap)
    rows = await pool.fetch('SELECT "offset", reason, key, value, header_names FROM dead_letters ORDER BY "offset"')
    found = [(row["offset"], row["reason"], row["value"]) for row in rows]
    reasons = {0: "too_large", 2: "json" if records[2].value.isascii() else "encoding", 3: "too_large"}  # type: ignore[union-attr]
    assert found == [(offset, reason, records[offset].value) for offset, reason in reasons.items()]
    assert rows[1]["header_names"] == [b"content-encoding"]
    assert await pool.fetchval('SELECT disposition FROM audit WHERE "offset" = 1') == "logged"
    assert await asyncio.to_thread(worker.stop) == 0
