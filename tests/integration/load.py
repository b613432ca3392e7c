"""A paced producer with a journal of what the broker acknowledged."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import asyncpg
from confluent_kafka import Producer

from tests.integration.pipeline import add_rule, configure

Make = Callable[[int], tuple[str, bytes, bytes]]
"""Topic, key and value of the n-th record."""

TOPICS = ("mutt.ingest.syslog", "mutt.ingest.snmp", "mutt.ingest.raw")


async def rules_for_load(pool: asyncpg.Pool) -> None:
    """Rules for `record`; nothing is shed or deferred, since most tests have no forwarder."""
    await configure(pool, "alerter_queue_hard_limit", str(10**8))
    await configure(pool, "alerter_queue_shed_threshold", str(10**7))
    await add_rule(pool, "link down")
    await add_rule(pool, "config saved", "Log_only")
    await add_rule(pool, "heartbeat", "Ignore")


def record(number: int, hosts: int = 60) -> tuple[str, bytes, bytes]:
    """Topic, key and value of the n-th record: alerts, log rows, ignored, unmatched and broken ones, mixed."""
    host = f"h{number % hosts}"
    topic = TOPICS[number % hosts % 3]
    kind = number % 10
    text = ("link down on port", "config saved as", "heartbeat", "nothing knows this")[
        (number * 7 // 3) % 4
    ] + f" {number}"
    if kind == 9:
        return topic, host.encode(), b"<13>" if topic.endswith("raw") else b'{"broken": ' + str(number).encode()
    if topic.endswith("raw"):
        return topic, host.encode(), f"<13>1 2026-03-01T12:00:00Z {host} app - - - {text}".encode()
    event = {"timestamp": "2026-03-01T12:00:00Z", "hostname": host, "message": text}
    return topic, host.encode(), json.dumps(event).encode()


class Load:
    """Publishes at least `count` records, `rate` a second, in a thread of its own; goes on while it is `held`."""

    def __init__(
        self, bootstrap: str, count: int, rate: float, *, held: bool = False, make: Make | None = None
    ) -> None:
        self.acked: dict[tuple[str, int], list[int]] = defaultdict(list)
        self.failed: list[str] = []
        self.sent = 0
        self.held = held
        self.may_fail = False
        """True: what the broker refused or never answered is no fault of the test, as long as it took most."""
        self._count, self._rate = count, rate
        self._make = make or record
        self._producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "linger.ms": 20})
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        self.held = False
        self._thread.join()
        acked = sum(map(len, self.acked.values()))
        if self.may_fail:
            assert acked > self.sent / 2, self.failed[:3]
            return
        assert not self.failed, self.failed[:3]
        assert acked == self.sent >= self._count

    def _run(self) -> None:
        begun = time.monotonic()
        for number in itertools.count():
            if number >= self._count and not self.held:
                break
            topic, key, value = self._make(number)
            self._producer.produce(topic, value, key=key, on_delivery=self._answered)
            self.sent = number + 1
            if number % 50 == 0:
                self._producer.poll(0)
                time.sleep(max(0.0, begun + number / self._rate - time.monotonic()))
        self._producer.flush(60)

    def _answered(self, error: Any, message: Any) -> None:
        if error is not None:
            self.failed.append(str(error))
        else:
            self.acked[message.topic(), message.partition()].append(message.offset())
