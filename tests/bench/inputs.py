"""What comes in otherwise: raw syslog lines that mutt parses, input that is all wrong, dead letters sent again."""

from __future__ import annotations

import asyncio
import json
import time

from schemas.dead_letters import FACTS, Reason
from schemas.topics import RAW, SNMP
from tests.bench import workload
from tests.bench.arena import TOPIC, Arena
from tests.bench.exact import check_books
from tests.bench.race import Course, Race, watch
from tests.bench.report import Figures, medians, say
from tests.bench.runs import EVERY_EVENT, mutt
from tests.bench.sizes import Sizes
from tests.integration.conftest import Database
from tests.integration.topics import end_offsets

REPLAY_S = 300.0


async def measure(arena: Arena, sizes: Sizes) -> Figures:
    """Raw lines and rejected input beside the same events as valid JSON; then one replay of all rejected."""
    events = min(sizes.events, sizes.letters)
    fill(arena, events)
    rounds = []
    replay: Figures = {}
    for number in range(sizes.rounds):
        valid = (await mutt(arena, **EVERY_EVENT)).race
        lines = (await mutt(arena, topic=RAW.name, **EVERY_EVENT)).race
        wrong, replay = await _rejected(arena, last=number + 1 == sizes.rounds)
        rounds.append(
            {
                "raw_extra_us": lines.cpu_us - valid.cpu_us,
                "rejected_over_valid": wrong.rate / valid.rate,
                "raw_cpu_us": lines.cpu_us,
                "raw_beside_cpu_us": valid.cpu_us,
                "rejected_cpu_us": wrong.cpu_us,
                "rejected_events_per_s": wrong.rate,
            }
        )
        say(f"inputs, round {number + 1}: {rounds[-1]}")
    return medians(rounds) | replay


def fill(arena: Arena, events: int) -> None:
    """The same events on three topics: as they are, as raw lines, and each of them broken."""
    arena.fill_topics(
        {
            TOPIC: arena.events(events),
            RAW.name: workload.lines(arena.events(events)),
            SNMP.name: workload.rejected(arena.events(events)),
        }
    )


async def _rejected(arena: Arena, *, last: bool) -> tuple[Race, Figures]:
    """All of it rejected; the last time its dead letters are replayed, with no worker beside."""
    async with arena.database(topic=SNMP.name) as database:
        child = arena.match(database)
        count = arena.on(SNMP.name)
        race = await watch(child, Course(database.pool, SNMP.name, count))
        books = await check_books(database, count)
        assert books.rejected == count, books
        child.stop()
        return race, await _replay(arena, database, count) if last else {}


async def _replay(arena: Arena, database: Database, count: int) -> Figures:
    """The letters as if they had been shed: what is wrong in itself, no replay sends."""
    await database.pool.execute(
        "UPDATE dead_letters SET reason = $1, stage = $2", Reason.SHED, FACTS[Reason.SHED].stage, timeout=300
    )
    await database.pool.execute("VACUUM ANALYZE dead_letters", timeout=300)
    before = sum(arena.ends[SNMP.name].values())
    arguments = ("dlq", "replay", "--reason", Reason.SHED.value, "--yes", "--json")
    began = time.perf_counter()
    child = arena.stack.spawn("replay", arena.stack.mutt(*arguments), database_url=database.settings.database_url)
    status = await asyncio.to_thread(child.process.wait, REPLAY_S)
    seconds = time.perf_counter() - began
    assert status == 0, child.tail()
    sent = json.loads(child.tail().splitlines()[-1])["sent"]
    grown = sum((await asyncio.to_thread(end_offsets, arena.bootstrap, SNMP.name)).values()) - before
    recorded = await database.pool.fetchval("SELECT sum(sent) FROM replays")
    assert sent == grown == recorded == count, (sent, grown, recorded, count)
    return {"replay_per_s": round(count / seconds), "replay_letters": count}
