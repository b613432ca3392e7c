"""What more of something costs: CPU an event with two and four workers, and with 10,000 rules."""

from __future__ import annotations

import asyncio

from tests.bench import workload
from tests.bench.arena import TOPIC, Arena
from tests.bench.exact import check_books
from tests.bench.race import Course, Race, watch
from tests.bench.report import Figures, medians, say
from tests.bench.runs import EVERY_EVENT, mutt
from tests.bench.sizes import Sizes
from tests.bench.workload import FEW_RULES, MANY_RULES
from tests.integration.pipeline import gauge, until

WORKERS = (1, 2, 4)
INGEST_PARTITIONS = 24


async def workers(arena: Arena, sizes: Sizes) -> Figures:
    """CPU an event of all workers together over one worker's, with everybody at work before the first event comes."""
    rounds = []
    for number in range(sizes.rounds):
        races = {count: await together(arena, count, sizes.half) for count in WORKERS}
        rounds.append(
            {f"cpu_{count}_workers": races[count].cpu_us / races[1].cpu_us for count in WORKERS[1:]}
            | {f"workers_{count}_cpu_us": race.cpu_us for count, race in races.items()}
            | {f"workers_{count}_events_per_s": race.rate for count, race in races.items()}
        )
        say(f"workers, round {number + 1}: {rounds[-1]}")
    return medians(rounds)


async def together(arena: Arena, count: int, events: int) -> Race:
    """So many workers, settled in their group, then the events. The producer runs beside them, beside one as well."""
    arena.fill_topics({})
    async with arena.database(**EVERY_EVENT) as database:
        ports = [arena.free_port() for _ in range(count)]
        children = [arena.match(database, f"match-{at}", match_port=port) for at, port in enumerate(ports, 1)]

        async def settled() -> bool:
            shares = [gauge(port, "mutt_partitions_assigned") for port in ports]
            placed = await database.pool.fetchval("SELECT count(*) FROM partition_progress")
            return sum(shares) == INGEST_PARTITIONS and min(shares) > 0 and placed == INGEST_PARTITIONS

        await until(settled, f"{count} workers share the partitions")
        adding = asyncio.create_task(asyncio.to_thread(arena.add, TOPIC, arena.events(events)))
        race = await watch(children, Course(database.pool, TOPIC, events))
        await adding
        await check_books(database, events, every_event_audited=True)
        return race


async def rules(arena: Arena, sizes: Sizes) -> Figures:
    """CPU an event with 10,000 rules over that with 100; the events match the same rules in both."""
    few, many = workload.mixed(FEW_RULES), workload.mixed(MANY_RULES)
    arena.fill_topics({TOPIC: workload.events(sizes.half, few)})
    rounds = []
    for number in range(sizes.rounds):
        with_few = await mutt(arena, rules=few, **EVERY_EVENT)
        with_many = await mutt(arena, rules=many, **EVERY_EVENT)
        rounds.append(
            {
                "cpu_10k_rules": with_many.race.cpu_us / with_few.race.cpu_us,
                "rules_100_cpu_us": with_few.race.cpu_us,
                "rules_10k_cpu_us": with_many.race.cpu_us,
                "rules_10k_first_commit_s": with_many.race.first_s,
            }
        )
        say(f"rules, round {number + 1}: {rounds[-1]}")
    return medians(rounds)
