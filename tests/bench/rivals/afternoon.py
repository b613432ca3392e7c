"""What a good engineer writes in an afternoon: confluent-kafka, hyperscan, psycopg COPY in a writer thread.

Redelivery safe through a compare-and-set progress row; its alerts may repeat after a crash. One process, one file, no
retries, no validation, no dead letters: the work that is left out is part of the comparison.
"""

import datetime as dt
import json
import pathlib
import queue
import sys
import threading
import uuid

import hyperscan
import orjson
import psycopg
from confluent_kafka import Consumer, Producer

COLUMNS = (
    'topic, partition, "offset", broker_time, event_time, hostname, source, syslog_severity, disposition, rule_id,'
    " rule_version, ruleset_version, handling, team, alert_id, correlation_id, trap_oid, message, raw"
)
TYPES = (
    "text", "int4", "int8", "timestamptz", "timestamptz", "text", "text", "int2", "text", "int4", "int4", "int8",
    "text", "text", "uuid", "text", "text", "text", "bytea",
)  # fmt: skip


def matcher(rules):
    texts = [(n, r) for n, r in enumerate(rules) if r["match_type"] != "oid_prefix"]
    oids = {r["trap_oid"]: n for n, r in reversed(list(enumerate(rules))) if r["match_type"] == "oid_prefix"}
    database = hyperscan.Database()
    escape = lambda r: "".join(f"\\x{b:02x}" for b in r["match_string"].encode())  # noqa: E731
    database.compile(
        expressions=[(escape(r) if r["match_type"] == "contains" else r["match_string"]).encode() for _, r in texts],
        ids=[n for n, _ in texts], flags=hyperscan.HS_FLAG_CASELESS | hyperscan.HS_FLAG_SINGLEMATCH,
    )  # fmt: skip

    def match(event):
        hits, oid = [], event.get("trap_oid")
        database.scan(event["message"].encode(), lambda number, *_: hits.append(number))
        while oid:
            hits += [oids[oid]] if oid in oids else []
            oid = oid.rpartition(".")[0]
        severity = event.get("syslog_severity")
        fit = [n for n in hits if rules[n].get("syslog_severity") in (None, severity)]
        return min(fit) if fit else None

    return match


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
                with cursor.copy(f"COPY audit ({COLUMNS}) FROM STDIN (FORMAT BINARY)") as copy:
                    copy.set_types(TYPES)
                    for row in rows:
                        copy.write_row(row)
            for key, alert in raised:
                alerts.produce("mutt.alerts", orjson.dumps(alert), key=key)
                alerts.poll(0)


def main(bootstrap, topic, rules_file, dsn):
    rules = json.loads(pathlib.Path(rules_file).read_text())
    match, work = matcher(rules), queue.Queue(16)
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
                event = orjson.loads(message.value())
                number = match(event)
                rule, alert = (rules[number], None) if number is not None else ({}, None)
                at = dt.datetime.fromtimestamp(message.timestamp()[1] / 1000, dt.UTC)
                if rule.get("prod_handling") == "Page_and_ticket":
                    alert = uuid.uuid4()
                    raised.append((message.key(), {"id": str(alert), "rule_id": number + 1, "event": event}))
                rows.append((
                    topic, partition, message.offset(), at, dt.datetime.fromisoformat(event["timestamp"]),
                    event["hostname"], event["source"], event["syslog_severity"],
                    "alerted" if alert else "logged" if rule else "unhandled",
                    number and number + 1, 1, 1, rule.get("prod_handling"), rule.get("team_assignment"), alert,
                    event["correlation_id"], event.get("trap_oid"), event["message"], message.value(),
                ))  # fmt: skip
            work.put((messages[0].offset(), messages[-1].offset() + 1, rows, raised))


if __name__ == "__main__":
    main(*sys.argv[1:])
