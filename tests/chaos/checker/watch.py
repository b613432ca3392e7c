"""Looks while things happen: samples of progress, pauses and memory; detectors progress, stuck and cap over them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import asyncpg
from confluent_kafka import KafkaException, TopicPartition

from tests.chaos.checker.evidence import Findings, Place
from tests.chaos.checker.files import lines
from tests.chaos.checker.kafka import member_to_be, offsets_of_group

EVERY_S = 0.5
STUCK_S = 30.0
PAUSE_FRESH_S = 15.0
"""A pause is heartbeaten while it lasts."""
_ASYNCPG = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""The last: a statement was given up, and the connection has not heard of it yet."""


class Sample(NamedTuple):
    """One look. What was committed to Kafka is read before where partitions stand, where the logs end after it; a part
    that did not answer is None."""

    at: float
    committed: Mapping[Place, int] | None = None
    stands: Mapping[Place, tuple[int, int]] | None = None
    """Epoch and next offset."""
    ends: Mapping[Place, int] | None = None
    held: frozenset[Place] = frozenset()
    """Paused or halted."""


@dataclass(slots=True)
class Seen:
    """What a watch saw."""

    samples: list[Sample] = field(default_factory=list)
    missed: int = 0
    """Looks in which something did not answer."""


class Watch:
    """Samples in a thread of its own from `start` to `stop`; outages are waited out."""

    def __init__(self, dsn: str, bootstrap: str, *, every_s: float = EVERY_S, group: str = "mutt-match") -> None:
        self._dsn, self._every = dsn, every_s
        self._consumer = member_to_be(bootstrap, group)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="checker-watch", daemon=True)
        self.seen = Seen()

    def start(self) -> Watch:
        self._thread.start()
        return self

    def stop(self) -> Seen:
        """Ends sampling; what was seen."""
        self._ended.set()
        self._thread.join()
        self._consumer.close()
        return self.seen

    def _run(self) -> None:
        asyncio.run(self._watch())

    async def _watch(self) -> None:
        connection: asyncpg.Connection[asyncpg.Record] | None = None
        while not self._ended.is_set():
            begun = time.monotonic()
            try:
                if connection is None:
                    connection = await asyncpg.connect(self._dsn, timeout=5)
                self.seen.samples.append(await self._look(connection))
            except (OSError, *_ASYNCPG, TimeoutError, KafkaException):
                self.seen.missed += 1
                if connection is not None:
                    connection.terminate()
                    connection = None
            await asyncio.to_thread(self._ended.wait, max(0.0, begun + self._every - time.monotonic()))
        if connection is not None:
            await connection.close(timeout=5)

    async def _look(self, connection: asyncpg.Connection[asyncpg.Record]) -> Sample:
        committed = await asyncio.to_thread(self._committed)
        rows = await connection.fetch(
            "SELECT topic, partition, epoch, next_offset, halted_at IS NOT NULL AS halted FROM partition_progress",
            timeout=5,
        )
        pauses = await connection.fetch(
            "SELECT DISTINCT topic, partition FROM partition_pauses WHERE seen_at > now() - make_interval(secs => $1)",
            PAUSE_FRESH_S,
            timeout=5,
        )
        stands = {(row["topic"], row["partition"]): (row["epoch"], row["next_offset"]) for row in rows}
        held = {(row["topic"], row["partition"]) for row in pauses}
        held |= {(row["topic"], row["partition"]) for row in rows if row["halted"]}
        ends = await asyncio.to_thread(self._ends, list(stands))
        return Sample(time.time(), committed, stands, ends, frozenset(held))

    def _committed(self) -> Mapping[Place, int] | None:
        try:
            return offsets_of_group(self._consumer)
        except (KafkaException, TimeoutError):
            self.seen.missed += 1
            return None

    def _ends(self, places: Sequence[Place]) -> Mapping[Place, int] | None:
        try:
            return {place: self._consumer.get_watermark_offsets(TopicPartition(*place), 5)[1] for place in places}
        except (KafkaException, TimeoutError):
            self.seen.missed += 1
            return None


# -- detectors --------------------------------------------------------------------------------------------------


def check_samples(samples: Sequence[Sample], out: Findings, *, stuck_s: float = STUCK_S) -> None:
    out.saw("samples", len(samples))
    progress(samples, out)
    stuck(samples, out, stuck_s)


def progress(samples: Sequence[Sample], out: Findings) -> None:
    """A place never falls, never lies beyond the log, and Kafka is never told of more than is done."""
    last: dict[Place, tuple[int, int]] = {}
    beyond: set[Place] = set()
    for sample in samples:
        for place, stand in (sample.stands or {}).items():
            out.saw("progress")
            where = f"{place[0]}:{place[1]} at {sample.at:.3f}"
            if stand < last.get(place, stand):
                out.wrong("progress", where, f"fell from {last[place]} to {stand} (epoch, next offset)")
            last[place] = stand
            end = (sample.ends or {}).get(place)
            if end is None or stand[1] <= end:
                beyond.discard(place)
            elif place in beyond:  # in two looks: a broker that has only just started may say less at first
                out.wrong("progress", where, f"stands at {stand[1]}, the log ends at {end}")
            else:
                beyond.add(place)
        for place, offset in (sample.committed or {}).items():
            if sample.stands is not None and offset > sample.stands.get(place, (0, 0))[1]:
                where = f"{place[0]}:{place[1]} at {sample.at:.3f}"
                out.wrong("progress", where, f"committed to Kafka {offset}, stands at {sample.stands.get(place)}")


def stuck(samples: Sequence[Sample], out: Findings, stuck_s: float = STUCK_S) -> None:
    """No partition that has lag and is not paused stands still for so long. A look that failed begins anew: an outage
    is no fault of the worker."""
    since: dict[Place, tuple[float, tuple[int, int]]] = {}
    told: set[Place] = set()
    for sample in samples:
        if sample.stands is None or sample.ends is None:
            since.clear()
            continue
        for place, stand in sample.stands.items():
            waits = stand[1] < sample.ends.get(place, 0) and place not in sample.held
            began, stood = since.get(place, (sample.at, stand))
            if not waits or stood != stand:
                since.pop(place, None)
                told.discard(place)
                if waits:
                    since[place] = (sample.at, stand)
                continue
            since[place] = (began, stood)
            if sample.at - began >= stuck_s and place not in told:
                told.add(place)
                detail = f"at {stand[1]} of {sample.ends[place]} for {sample.at - began:.0f} s, nothing paused"
                out.wrong("stuck", f"{place[0]}:{place[1]} at {sample.at:.3f}", detail)
    out.saw("stuck", sum(len(sample.stands or ()) for sample in samples))


def check_caps(paths: Iterable[Path], caps: Mapping[str, float], out: Findings) -> None:
    """Samples of memory, records held, sockets and the like: each a JSON line with `at`, who (`worker`) and figures.
    A figure that `caps` names never exceeds it."""
    for path in paths:
        for line in lines(path):
            for name, most in caps.items():
                if name in line:
                    out.saw("cap")
                    if line[name] > most:
                        where = f"{line.get('worker', path.stem)} at {line.get('at')}"
                        out.wrong("cap", where, f"{name} {line[name]} is above {most}", f"{path.name}")
