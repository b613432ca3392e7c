"""A producer: publishes lines from standard input as events of this host, and says how to follow the first.

    journalctl -f -o cat | MUTT_KAFKA_BOOTSTRAP=127.0.0.1:9092 python docs/examples/producer.py

What matters in any producer: the host as the key (it keeps a host in order), acks=all, and an idempotent producer, so
that a retry makes no second record.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from datetime import UTC, datetime

from confluent_kafka import KafkaError, Message, Producer

TOPIC = "mutt.ingest.syslog"


def event(line: str) -> bytes:
    """A line as an event; docs/TOPICS.md has every field."""
    return json.dumps(
        {
            "timestamp": datetime.now(UTC).isoformat(),
            "hostname": socket.gethostname(),
            "message": line,
            "program": "producer-example",
            "syslog_severity": 6,
        }
    ).encode()


def delivered(error: KafkaError | None, message: Message) -> None:
    """Called once for each record, whether Kafka has it or not."""
    if error is not None:
        sys.exit(f"not published: {error}")
    print(f"mutt trace {message.topic()}:{message.partition()}:{message.offset()}")


def main() -> None:
    producer = Producer({"bootstrap.servers": os.environ["MUTT_KAFKA_BOOTSTRAP"], "enable.idempotence": True})
    for line in sys.stdin:
        if line.strip():
            producer.produce(TOPIC, event(line.rstrip("\n")), key=socket.gethostname(), on_delivery=delivered)
            producer.poll(0)
    if producer.flush(30):
        sys.exit("Kafka did not take everything within 30 s")


if __name__ == "__main__":
    main()
