"""What a good engineer writes in an afternoon: confluent-kafka, hyperscan, psycopg COPY in a writer thread.

Redelivery safe through a compare-and-set progress row; its alerts may repeat after a crash. One process, no retries, no
validation, no dead letters: the work that is left out is part of the comparison.
"""

import queue
import sys
import threading
import uuid

import orjson
import psycopg
from confluent_kafka import Consumer, Producer

from tests.bench.rivals.common import ALERTS, COPY, TYPES, Decider, linear, matcher, read_rules

MATCHERS = {"hyperscan": matcher, "linear": linear}


def write(work, dsn, alerts):
    with psycopg.connect(dsn) as connection, connection.cursor() as cursor:
        while True:
            expected, after, rows, raised = work.get()
            with connection.transaction():
                moved = cursor.execute(
                    "UPDATE partition_progress SET next_offset = %s"
                    " WHERE topic = %s AND partition = %s AND next_offset = %s",
                    (after, rows[0][0], rows[0][1], expected),
                ).rowcount  # fmt: skip
                if not moved:
                    raise SystemExit("another worker owns the partition")
                with cursor.copy(COPY) as copy:
                    copy.set_types(TYPES)
                    for row in rows:
                        copy.write_row(row)
            for key, alert in raised:
                alerts.produce(ALERTS, orjson.dumps(alert), key=key)
                alerts.poll(0)


def main(bootstrap, topic, rules_file, dsn, kind="hyperscan"):
    rules = read_rules(rules_file)
    decide, work = Decider(rules, MATCHERS[kind](rules)), queue.Queue(16)
    alerts = Producer({"bootstrap.servers": bootstrap, "acks": "all", "linger.ms": 5, "compression.type": "lz4"})
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": f"afternoon-{uuid.uuid4()}",
                         "auto.offset.reset": "earliest", "enable.auto.commit": False})  # fmt: skip
    with psycopg.connect(dsn) as connection:
        for number in consumer.list_topics(topic).topics[topic].partitions:
            connection.execute(
                "INSERT INTO partition_progress (topic, partition, next_offset) VALUES (%s, %s, 0)", (topic, number)
            )
    consumer.subscribe([topic])
    threading.Thread(target=write, args=(work, dsn, alerts), daemon=True).start()
    while True:
        batches = {}
        for message in consumer.consume(4000, 0.05):
            batches.setdefault(message.partition(), []).append(message)
        for partition, messages in batches.items():
            rows, raised = [], []
            for message in messages:
                row, alert = decide(topic, partition, message.offset(), message.timestamp()[1], message.value())
                rows.append(row)
                if alert:
                    raised.append((message.key(), alert))
            work.put((messages[0].offset(), messages[-1].offset() + 1, rows, raised))


if __name__ == "__main__":
    main(*sys.argv[1:])
