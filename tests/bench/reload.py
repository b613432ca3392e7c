"""What a change of rules costs while events flow: how long a lane stands still, and when the change is live."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from dataclasses import dataclass
from statistics import median

from tests.bench import workload
from tests.bench.arena import RULES, TOPIC, Arena
from tests.bench.exact import check_books
from tests.bench.latency import placed
from tests.bench.pace import offer
from tests.bench.race import Course, reach
from tests.bench.report import Figures, say
from tests.bench.sizes import Sizes
from tests.bench.workload import MANY_RULES
from tests.integration.conftest import Database
from tests.integration.pipeline import gauge, until

RATE = 2_000
CHANGES = 3
QUIET_S = 2.0
LIVE_WITHIN_S = 120.0
LOOK_S = 0.1
"""Between two looks at a worker's metrics: they cost the worker something, too."""

_WITNESS = """
CREATE UNLOGGED TABLE commits (partition integer, at timestamptz);
CREATE FUNCTION witness() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO commits VALUES (new.partition, clock_timestamp()); RETURN new; END $$;
CREATE TRIGGER witness AFTER UPDATE ON partition_progress FOR EACH ROW EXECUTE FUNCTION witness();
"""
_GAPS = """
SELECT partition, max(extract(epoch FROM at - before)) AS gap
  FROM (SELECT partition, at, lag(at) OVER (PARTITION BY partition ORDER BY at) AS before FROM commits) AS pairs
 WHERE at > $1 AND before < $2 GROUP BY partition
"""
"""For each lane the longest time from one commit to the next that touches the stretch."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change: seconds until it was live everywhere, and the longest gap between commits of a lane, in both
    stretches of the same length, before it and while it came into force."""

    live_s: float
    gap_before_s: float
    gap_s: float


async def measure(arena: Arena, sizes: Sizes) -> Figures:
    """Both sizes of rule set; the stall is the worse of the two."""
    figures: Figures = {}
    for name, rules in (("1k", arena.rules), ("10k", workload.mixed(MANY_RULES))):
        changes = await _changes(arena, rules)
        say(f"reload with {len(rules)} rules: {changes}")
        figures[f"reload_live_s_{name}"] = round(max(change.live_s for change in changes), 3)
        figures[f"reload_gap_before_ms_{name}"] = round(1000 * median(change.gap_before_s for change in changes), 1)
        figures[f"reload_gap_ms_{name}"] = round(1000 * median(change.gap_s for change in changes), 1)
        stalls = [change.gap_s - change.gap_before_s for change in changes]
        figures[f"reload_stall_ms_{name}"] = round(1000 * max(0.0, median(stalls)), 1)
    assert len(arena.rules) == RULES
    return figures | {
        "reload_live_s": figures["reload_live_s_1k"],
        "reload_stall_ms": max(figures["reload_stall_ms_1k"], figures["reload_stall_ms_10k"]),
    }


async def _changes(arena: Arena, rules: list) -> list[Change]:
    """Two workers under a steady load, whose rules are changed a few times."""
    arena.fill_topics({})
    async with arena.database(rules=rules) as database:
        await database.pool.execute(_WITNESS)
        ports = [arena.free_port() for _ in range(2)]
        workers = [arena.match(database, f"match-{at}", match_port=port) for at, port in enumerate(ports, 1)]
        await placed(database)
        await until(lambda: _shared(ports), "both workers have partitions")
        stop = threading.Event()
        endless = itertools.cycle(list(arena.events(RATE)))
        load = itertools.takewhile(lambda _: not stop.is_set(), endless)
        offering = asyncio.create_task(asyncio.to_thread(offer, arena, load, RATE))
        try:
            await asyncio.sleep(QUIET_S)
            changes = [await _change(database, ports) for _ in range(CHANGES)]
        finally:
            stop.set()
            count = await offering
        await reach(workers, Course(database.pool, TOPIC, count), count)
        await check_books(database, count)
        return changes


async def _shared(ports: list[int]) -> bool:
    return all(gauge(port, "mutt_partitions_assigned") > 0 for port in ports)


async def _change(database: Database, ports: list[int]) -> Change:
    """A pattern is edited, so that all must be compiled again."""
    await asyncio.sleep(QUIET_S)
    pool = database.pool
    before = await pool.fetchval("SELECT clock_timestamp()")
    await pool.execute(
        "UPDATE alert_rules SET match_string = match_string || 'x'"
        " WHERE id = (SELECT max(id) FROM alert_rules WHERE match_type = 'contains')"
    )
    began = time.perf_counter()
    wanted = await pool.fetchval("SELECT version FROM ruleset_version")

    async def live() -> bool:
        return all([await asyncio.to_thread(gauge, port, "mutt_ruleset_version") >= wanted for port in ports])

    while not await live():
        assert time.perf_counter() - began < LIVE_WITHIN_S, "the change is not live"
        await asyncio.sleep(LOOK_S)
    live_s = time.perf_counter() - began
    await asyncio.sleep(0.5)
    after = await pool.fetchval("SELECT clock_timestamp()")
    return Change(
        live_s, await _longest_gap(pool, before - (after - before), before), await _longest_gap(pool, before, after)
    )


async def _longest_gap(pool, begin, end) -> float:
    return float(max(row["gap"] or 0 for row in await pool.fetch(_GAPS, begin, end)))
