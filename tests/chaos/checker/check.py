"""One check: reads everything, partition by partition, and asks every detector."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.checker import books, configuration, delivery, letters, moves, pressure, watch
from tests.chaos.checker.canaries import Canaries
from tests.chaos.checker.configuration import check_configuration, read_configuration, try_to_change
from tests.chaos.checker.database import Database, snapshot
from tests.chaos.checker.decisions import Decisions
from tests.chaos.checker.evidence import INGEST, Findings, Partition, Place, World
from tests.chaos.checker.files import Journal, read_journals, read_posts
from tests.chaos.checker.kafka import Broker, Logs
from tests.chaos.checker.report import Report, report_of
from tests.chaos.checker.rules import History

TOPICS = (*INGEST, delivery.ALERTS, letters.DLQ, "mutt.dlq.parked")
Acked = Mapping[Place, Iterable[int]]
"""Offsets the broker acknowledged to a producer without a journal, by partition."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where to read. What is not given is not looked at; the report's counts say so."""

    dsn: str = field(repr=False)
    bootstrap: str | None = None
    logs: Sequence[Path] = ()
    """Files that must not hold a canary: logs of programs, texts of metrics, errors, arguments."""
    receiver_logs: Sequence[Path] = ()
    journals: Sequence[Path] = ()
    memory: Sequence[Path] = ()
    caps: Mapping[str, float] = field(default_factory=dict)
    """By figure of the memory samples: the most it may be. `backlog` is worked out from the alerts as well."""
    canaries: Sequence[str] = field(default=(), repr=False)
    samples: Sequence[watch.Sample] = ()
    stuck_s: float = watch.STUCK_S
    acked: Acked = field(default_factory=dict)
    group: str = "mutt-match"
    halts: frozenset[Place] = frozenset()
    """Partitions that the plan made halt."""
    seed: str | None = None


def check(sources: Sources, logs: Logs | None = None) -> Report:
    """Everything that is wrong once all is quiet. Blocks; not for use where an event loop runs."""
    return asyncio.run(checked(sources, logs))


async def checked(sources: Sources, logs: Logs | None = None) -> Report:
    """The same in a loop. `logs`: the topics, where they were read before."""
    own = Broker(sources.bootstrap) if sources.bootstrap and logs is None else None
    try:
        refused = await try_to_change(sources.dsn)  # before the snapshot, whose locks would be in the way
        async with snapshot(sources.dsn) as database:
            return await _Check(sources, database, logs or own).run(refused)
    finally:
        if own is not None:
            own.close()


class _Check:
    def __init__(self, sources: Sources, database: Database, logs: Logs | None) -> None:
        self._sources, self._database, self._logs = sources, database, logs
        self._out = Findings()
        self._canaries = Canaries(sources.canaries, self._out)
        self._there: Counter[bytes] = Counter()
        """How often a record that the journal names with a failure lies on the topics."""

    async def run(self, refused: Mapping[str, str]) -> Report:
        out, sources, database = self._out, self._sources, self._database
        committed = await self._committed()
        journal = await asyncio.to_thread(read_journals, sources.journals)
        world = await database.world()
        world.unknown = {record: (n, journal.expected[record]) for record, n in journal.unknown.items()}
        world.topics_read = self._logs is not None
        changes, objects, versions, version = await read_configuration(database)
        recorded = await moves.read_recorded(database.connection)
        decisions = Decisions(History(changes, version, recorded.versions), out)
        stands: dict[Place, int] = {}
        async for part in self._partitions(journal):
            if recorded.installed:
                part.moves = await moves.read_moves(database.connection, *part.place)
            self._one(part, world, journal)
            decisions.take(part)
            if part.standing is not None:
                stands[part.place] = part.standing.next_offset
        decisions.finish()
        await self._whole(world, journal)
        books.kafka_behind(committed, stands, out)
        check_configuration(configuration.Books(changes, objects, versions, refused), out)
        watch.check_samples(sources.samples, out, stuck_s=sources.stuck_s)
        pressure.check_backlog(world, sources.caps.get("backlog"), out)
        watch.check_caps(sources.memory, sources.caps, out)
        if self._canaries:
            await self._secrets()
        return report_of(out, sources.seed)

    async def _committed(self) -> Mapping[Place, int]:
        return await asyncio.to_thread(self._logs.committed, self._sources.group) if self._logs else {}

    async def _partitions(self, journal: Journal) -> AsyncIterator[Partition]:
        """Every ingest partition that any source names, one in memory at a time."""
        places = set(await self._database.places()) | journal.ok.keys() | self._sources.acked.keys()
        if self._logs is not None:
            places |= set(await asyncio.to_thread(self._logs.places, INGEST))
        for place in sorted(place for place in places if place[0] in INGEST):
            part = await self._database.partition(place)
            part.log = await asyncio.to_thread(self._logs.log, place) if self._logs else None
            part.sent = journal.ok.get(place, [])
            part.journaled = bool(self._sources.journals)
            part.acked = tuple(self._sources.acked.get(place, ()))
            part.halt_expected = place in self._sources.halts
            yield part

    def _one(self, part: Partition, world: World, journal: Journal) -> None:
        out = self._out
        out.saw("audit_rows", len(part.audit))
        out.saw("alerts", len(part.alerts))
        out.saw("letters", len(part.letters))
        out.saw("ledger_rows", len(part.ledger))
        out.saw("ingest_records", len(part.log.records) if part.log else 0)
        books.check_books(part, out)
        moves.check_moves(part, out)
        delivery.check_alerts(part, world, out)
        letters.check_letters(part, world, out)
        pressure.shed(part, world, out)
        if part.log is None:
            return
        if self._canaries:
            self._canaries.search_log(part.place, part.log)
        if journal.failed:
            there = books.digests(part.log.records)
            self._there.update({record: there[record] for record in journal.failed if record in there})

    async def _whole(self, world: World, journal: Journal) -> None:
        """What crosses partitions: the topics that mutt writes, the receiver, replays, what must not be there."""
        out, sources = self._out, self._sources
        world.posts = await asyncio.to_thread(read_posts, sources.receiver_logs)
        world.forwarded = bool(sources.receiver_logs)
        out.saw("journal_records", journal.records)
        if self._logs is not None:
            for reader in (delivery.AlertsTopic(world, out), letters.LettersTopic(world, out)):
                for place in await asyncio.to_thread(self._logs.places, (reader.topic,)):
                    log = await asyncio.to_thread(self._logs.log, place)
                    reader.take(place, log.records)
                    if self._canaries:
                        self._canaries.search_log(place, log)
                reader.finish()
            acknowledged = Counter(sent.digest for line in journal.ok.values() for sent in line)
            books.failed_are_not_there(journal.failed, acknowledged, self._there, journal.unknown, out)
        delivery.check_posts(world, out)
        letters.check_replays(world, out)
        letters.check_refusals(world, out)

    async def _secrets(self) -> None:
        """Files and tables; topics were searched as they were read, but for one."""
        if self._logs is not None:
            for place in await asyncio.to_thread(self._logs.places, ("mutt.dlq.parked",)):
                self._canaries.search_log(place, await asyncio.to_thread(self._logs.log, place))
        for path in (*self._sources.logs, *self._sources.receiver_logs):
            await asyncio.to_thread(self._canaries.search_file, path)
        await self._canaries.search_tables(self._database)
