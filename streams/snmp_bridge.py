"""The SNMP bridge: reads what snmptrapd prints, publishes each trap as an event."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence

import structlog

from schemas import codec
from schemas.settings import Settings
from schemas.snmp import event_of
from schemas.snmptrapd import Broken, Found, Said, TrapReader
from schemas.topics import SNMP
from streams import metrics
from streams.adapters.broker_access import Brokers
from streams.adapters.listening import front_of
from streams.adapters.patient_publisher import PatientPublisher
from streams.adapters.publisher import create_producer, stop_producer
from streams.health import HealthServer
from streams.tasks import wait_for_start

log = structlog.get_logger()

PIECE = 64 * 1024
"""Bytes read at once: nothing more is read before their traps are acknowledged, so the pipe holds back snmptrapd."""
SAID_LIMIT = 500
"""Characters of snmptrapd's own messages that are logged."""


class SnmpBridge:
    """Carries traps from standard input to `mutt.ingest.snmp` until the input ends."""

    def __init__(self, settings: Settings, stops: Sequence[signal.Signals], brokers: Brokers | None = None) -> None:
        """`stops` are the signals that end it; they may be blocked until it runs."""
        self._settings = settings
        self._stops = stops
        self._brokers = settings.kafka_bootstrap if brokers is None else brokers
        self._problems: dict[str, str] = {"kafka": "not asked yet"}
        self._health = HealthServer(
            "snmp-bridge",
            metrics.REGISTRY,
            lambda: self._problems,
            front=front_of(settings),
        )
        self._reader = TrapReader()
        self._in_hand = 0

    async def run(self) -> bool:
        """False when it was told to stop and Kafka had not taken within the drain time what snmptrapd printed."""
        loop = asyncio.get_running_loop()
        read = await _standard_input()
        await self._health.start(self._settings.host, self._settings.snmp_bridge_port)
        try:
            async with asyncio.timeout(None) as patience:
                for number in self._stops:
                    loop.add_signal_handler(number, self._hurry, patience)
                signal.pthread_sigmask(signal.SIG_UNBLOCK, self._stops)
                await self._carry(read)
        except TimeoutError:
            if lost := bool(self._in_hand or self._problems):  # what the pipe holds is lost too
                log.error("ends before Kafka took all traps", in_hand=self._in_hand, **self._problems)
            return not lost
        finally:
            await self._health.close()
        return True

    def _hurry(self, patience: asyncio.Timeout) -> None:
        """snmptrapd is told to stop at the same time: what it has printed is still read."""
        deadline = self._settings.drain_timeout
        log.info("stops when the input ends", deadline_s=deadline)
        patience.reschedule(asyncio.get_running_loop().time() + deadline)

    async def _carry(self, read: Callable[[], Awaitable[bytes]]) -> None:
        producer = await wait_for_start(lambda: create_producer(self._brokers))
        try:
            publisher = PatientPublisher(producer, SNMP.name, self._waits_for)
            self._waits_for(None)
            while piece := await read():
                await self._publish(publisher, self._reader.feed(piece))
            await self._publish(publisher, self._reader.close())
        finally:
            await stop_producer(producer)

    async def _publish(self, publisher: PatientPublisher, found: Iterable[Found]) -> None:
        records = [record for one in found if (record := _record(one)) is not None]
        self._in_hand = len(records)
        await publisher.publish(records)
        self._in_hand = 0
        metrics.SNMP_TRAPS.labels("success", "").inc(len(records))

    def _waits_for(self, fault: str | None) -> None:
        self._problems = {} if fault is None else {"kafka": fault}


def _record(found: Found) -> tuple[bytes, bytes] | None:
    if isinstance(found, Said):
        log.info("snmptrapd says", text=found.text[:SAID_LIMIT])
        return None
    if isinstance(found, Broken):
        log.warning("left out of what snmptrapd printed", reason=found.reason, bytes=found.size)
        metrics.SNMP_TRAPS.labels("fail", "broken").inc()
        return None
    event = event_of(found)
    return event.hostname.encode(), codec.encode(event)


async def _standard_input() -> Callable[[], Awaitable[bytes]]:
    """Reads the next piece, empty at the end; a file is read by a thread, for it never keeps anybody waiting."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=PIECE)
    try:
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    except ValueError:
        return lambda: asyncio.to_thread(os.read, sys.stdin.fileno(), PIECE)
    return lambda: reader.read(PIECE)
