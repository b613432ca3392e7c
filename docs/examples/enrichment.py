"""An enrichment of one's own: reads events of a topic of yours, adds site and owner from a list, hands them to mutt.

    MUTT_KAFKA_BOOTSTRAP=127.0.0.1:9092 python docs/examples/enrichment.py site.events inventory.json

mutt itself looks nothing up: a look-up that is slow or away would hold every event. Before mutt it is yours to wait or
to leave out. Offsets are committed after Kafka has the enriched event, so that a crash repeats and never loses; mutt
takes a repeated event for another one, with an id of its own.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, Producer

TOPIC = "mutt.ingest.syslog"


def enriched(value: bytes, inventory: Mapping[str, Mapping[str, str]]) -> bytes:
    """The event with what is known of its host; unchanged where nothing is, or where it is no event.

    What is added goes into `structured_data`, where rules do not look and people do; mutt judges the rest.
    """
    try:
        event: Any = json.loads(value)
    except ValueError:
        return value
    known = inventory.get(str(event.get("hostname"))) if isinstance(event, dict) else None
    if known is None or not isinstance(event.get("structured_data") or {}, dict):
        return value
    event["structured_data"] = {**(event.get("structured_data") or {}), "inventory": dict(known)}
    return json.dumps(event).encode()


def main() -> None:
    topic, inventory = sys.argv[1], json.loads(Path(sys.argv[2]).read_text())
    brokers = {"bootstrap.servers": os.environ["MUTT_KAFKA_BOOTSTRAP"]}
    producer = Producer(brokers | {"enable.idempotence": True})
    consumer = Consumer(
        brokers | {"group.id": "enrichment", "enable.auto.commit": False, "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topic])
    most = int(sys.argv[3]) if len(sys.argv) > 3 else sys.maxsize
    while most > 0:
        messages = [one for one in consumer.consume(min(500, most), timeout=1.0) if one.error() is None]
        for one in messages:
            producer.produce(TOPIC, enriched(one.value() or b"", inventory), key=one.key(), headers=one.headers())
        if messages:
            if producer.flush(30):
                sys.exit("Kafka did not take everything within 30 s")
            consumer.commit(asynchronous=False)
        most -= len(messages)
    consumer.close()


if __name__ == "__main__":
    main()
