"""Events at a steady rate, as relays send them: small batches, at once."""

from __future__ import annotations

import time
from collections.abc import Iterable

from confluent_kafka import Producer

from tests.bench.arena import TOPIC, Arena, Record

TICK_S = 0.005


def offer(arena: Arena, records: Iterable[Record], rate: int) -> int:
    """Publishes the records to TOPIC, `rate` a second; returns how many. AssertionError where the broker lacks one."""
    producer = Producer(
        {"bootstrap.servers": arena.bootstrap, "acks": "all", "linger.ms": 5, "queue.buffering.max.messages": 10**6}
    )
    failed: list[object] = []
    began, sent = time.perf_counter(), 0
    for key, value in records:
        producer.produce(TOPIC, value, key=key, on_delivery=lambda error, _: failed.append(error) if error else None)
        sent += 1
        ahead = began + sent / rate - time.perf_counter()
        if ahead > TICK_S:
            producer.poll(0)
            time.sleep(ahead)
    assert producer.flush(30) == 0
    assert not failed, failed[0]
    return sent
