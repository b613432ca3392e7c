"""docs/SCALING.md: what 10,000, 100,000 and 1,000,000 events a second take, by arithmetic from measured costs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.bench.kept import Kept

RATES = (10_000, 100_000, 1_000_000)
BUSY = 0.7
"""How busy a core is planned to be: the rest is for bursts, reloads and catching up."""
EVENT_BYTES = 350
PARTITION_PER_S = 10_000
"""Events a second planned for one partition; a lane does more, hosts are not spread evenly."""
DAY_S = 86_400
NEEDED = ("mutt_cpu_us", "postgres_cpu_us", "wal_bytes", "audit_bytes", "mutt_default_cpu_us", "mutt_events_per_s")

HEAD = """# How far it goes

Written by `python -m tests.bench.pages` from the costs in `docs/performance/bench.json`; a test holds it to that.

mutt has no engine of its own to scale: workers join a Kafka consumer group, each lane writes its own rows, and no lane
waits for another's. So cost is per event and adds up; docs/PERFORMANCE.md shows how flat it stays. What follows is
arithmetic, not a promise: measure your own events with `make bench` first.
"""

TAIL = """## Which limit comes first

1. **PostgreSQL.** Its share of an event is larger than the worker's. When its cores are busy or its disk writes at its
   bound, lanes wait (`mutt_partitions_paused{reason="sink"}`), nothing is lost, and lag grows. In this order:
   - *Matched only* (the default): unhandled events are counted, not kept row by row. Most of the volume goes.
   - *Fewer or narrower indexes*: `audit_time` is BRIN already; each further B-tree costs an event a page touched. Drop
     the one on `rule_id` if nobody searches by rule.
   - *More PostgreSQL*: the ledger, audit rows and alerts of a partition live together and no statement of a batch
     touches two partitions, so they split by topic without cross-talk. One installation reads all its ingest
     topics into one database; a second database is a second installation on the same Kafka, with topics of its own
     (`MUTT_TOPIC_PREFIX`, ADR 0031). Which producers publish to which prefix is the split.
   - *Archive*: retention detaches whole months, so that indexes in use stay in memory.
2. **Partitions.** A partition is one lane: one transaction at a time. Eight a topic is the default; give a topic more
   before its hottest partition comes near what one lane does. More workers than partitions idle.
3. **Workers.** One process uses one core. They are the cheapest part: start more, up to the partitions.
4. **The receiver.** At 10 % alerts, 100,000 events/s are 10,000 posts/s, more than any ticket system takes. The rate
   limit and backpressure decide then (docs/CAPACITY.md), not the pipeline: write fewer alerting rules.
5. **Kafka.** A broker writes hundreds of MB/s in sequence; at 350 bytes an event it is the last to be full.
"""


@dataclass(frozen=True, slots=True)
class Costs:
    """What one event takes, by what is audited."""

    worker_us: float
    postgres_us: float
    wal_bytes: float
    audit_bytes: float


def page(run: Kept | None) -> str:
    """The whole page."""
    return "\n".join([HEAD, *_arithmetic(run), TAIL]).rstrip() + "\n"


def _arithmetic(run: Kept | None) -> Iterator[str]:
    yield "## The arithmetic\n"
    if run is None or any(name not in run.figures for name in NEEDED):
        yield "No run of the bench is kept yet.\n"
        return
    figures = run.figures
    every = _costs(figures, "mutt_cpu_us", "")
    matched = _costs(figures, "mutt_default_cpu_us", "default_")
    yield f"Costs of one event, from `{run.command}` of {run.date}:\n"
    yield "| | every event audited | matched audited (default) |"
    yield "| --- | --- | --- |"
    for name, what in (
        ("worker_us", "CPU of the worker, µs"), ("postgres_us", "CPU of PostgreSQL, µs"),
        ("wal_bytes", "write-ahead log, bytes"), ("audit_bytes", "audit rows with indexes, bytes"),
    ):  # fmt: skip
        yield f"| {what} | {getattr(every, name):.1f} | {getattr(matched, name):.1f} |"
    yield f"\nOne PostgreSQL of this machine's size took {figures['mutt_events_per_s']:,.0f} events/s with every event"
    yield "audited, its cores shared with Kafka and the worker. Cores are planned "
    yield f"{BUSY:.0%} busy, events at {EVENT_BYTES} bytes.\n"
    yield "| | " + " | ".join(f"{rate:,}/s" for rate in RATES) + " |"
    yield "| --- |" + " --- |" * len(RATES)
    for name, costs in (("every event audited", every), ("matched audited", matched)):
        yield f"| **{name}** |" + " |" * len(RATES)
        for what, of in _PLAN.items():
            yield f"| {what} | " + " | ".join(of(rate, costs) for rate in RATES) + " |"
    yield ""


def _costs(figures: Mapping[str, Any], worker: str, prefix: str) -> Costs:
    named = [figures[f"{prefix}{name}"] for name in ("postgres_cpu_us", "wal_bytes", "audit_bytes")]
    return Costs(figures[worker], *named)


def _cores(rate: int, microseconds: float) -> int:
    return math.ceil(rate * microseconds / 1e6 / BUSY)


_PLAN = {
    "partitions": lambda rate, _: str(max(8, 8 * math.ceil(rate / PARTITION_PER_S / 8))),
    "workers (one core each)": lambda rate, costs: str(_cores(rate, costs.worker_us)),
    "PostgreSQL, cores": lambda rate, costs: str(_cores(rate, costs.postgres_us)),
    "PostgreSQL, instances of 16 cores": lambda rate, costs: str(math.ceil(_cores(rate, costs.postgres_us) / 16)),
    "write-ahead log, MB/s": lambda rate, costs: f"{rate * costs.wal_bytes / 1e6:,.0f}",
    "audit, GB a day": lambda rate, costs: f"{rate * costs.audit_bytes * DAY_S / 1e9:,.0f}",
    "network into Kafka and out to workers, MB/s each": lambda rate, _: f"{rate * EVENT_BYTES / 1e6:,.0f}",
    "ledger, rows a day": lambda rate, _: f"{24 * 60 * max(8, 8 * math.ceil(rate / PARTITION_PER_S / 8)):,}",
}
"""One row a partition and minute, whatever the rate: proof costs nothing that grows."""
