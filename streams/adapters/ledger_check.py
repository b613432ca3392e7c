"""Whether the books balance: the tables against the brokers' offsets."""

from __future__ import annotations

import dataclasses

import asyncpg

from schemas.topics import consumer_group
from streams.adapters.broker_access import Brokers
from streams.adapters.ledger import Ledger
from streams.adapters.offsets import LogBounds, committed_offsets, log_bounds
from streams.core.books import Fault, LedgerRange, Standing, faults


@dataclasses.dataclass(frozen=True, slots=True)
class Books:
    """Every ledger row, where partitions stand, and what does not add up."""

    ranges: list[LedgerRange]
    standings: list[Standing]
    faults: list[Fault]


async def checked_books(pool: asyncpg.Pool, brokers: Brokers) -> Books:
    """What was committed is read before the tables, where the logs end after them: workers may run meanwhile."""
    committed = await committed_offsets(brokers, consumer_group("match"))
    ranges, standings, orphans = await Ledger(pool).read()
    bounds = await log_bounds(brokers, [(row.topic, row.partition) for row in standings])
    placed = [_placed(row, bounds, committed) for row in standings]
    return Books(ranges, placed, orphans + faults(ranges, placed))


def _placed(row: Standing, bounds: dict[tuple[str, int], LogBounds], committed: dict[tuple[str, int], int]) -> Standing:
    place = (row.topic, row.partition)
    log = bounds.get(place)
    return dataclasses.replace(row, log_end=log.end if log else None, committed=committed.get(place))
