"""Balances the books after a test: reads tables and topics itself, imports nothing of the product.

Each check is a detector of one way to be wrong; the answer is a list of anomalies, empty when all is well.
"""

from __future__ import annotations

import asyncio
import json
import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import asyncpg
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.integration.topics import read_all

INGEST = ("mutt.ingest.syslog", "mutt.ingest.snmp", "mutt.ingest.raw")
GOOD = ("alerted", "logged", "ignored", "unhandled")
KINDS = (*GOOD, "shed", "rejected", "missing")
OURS = ("internal_error", "database_value")
JUDGED = ("decode", "store", "match")
"""Stages of letters that stand for an ingest record."""
_RANGE = re.compile(r"offsets (\d+) to (\d+) are one batch")

Place = tuple[str, int]
Acked = Mapping[Place, Iterable[int]]
"""Offsets the broker acknowledged to the producer, by partition."""


class Anomaly(NamedTuple):
    detector: str
    where: str
    detail: str


class Topics(NamedTuple):
    """What Kafka holds: records by topic, and the match group's committed offsets."""

    records: Mapping[str, list[Any]]
    committed: Mapping[Place, int]


async def anomalies(dsn: str, bootstrap: str, acked: Acked | None = None) -> list[Anomaly]:
    """Everything that is wrong once the pipeline is quiet."""
    return await compare(dsn, await asyncio.to_thread(read_topics, bootstrap), acked or {})


def read_topics(bootstrap: str) -> Topics:
    """What lies on every topic now, and how far the match group has committed."""
    logs = {topic: read_all(bootstrap, topic) for topic in (*INGEST, "mutt.alerts", "mutt.dlq")}
    return Topics(logs, committed_offsets(bootstrap))


async def compare(dsn: str, topics: Topics, acked: Acked) -> list[Anomaly]:
    """The tables against themselves and against the topics."""
    connection = await asyncpg.connect(dsn)
    logs = topics.records
    try:
        found = [*await books(connection, acked)]
        found += await _alerts_topic(connection, logs["mutt.alerts"])
        found += await _letters_topic(connection, logs)
        found += await _bytes_kept(connection, logs)
        found += await _kafka_behind(connection, topics.committed)
        return found
    finally:
        await connection.close()


async def books(connection: Any, acked: Acked) -> list[Anomaly]:
    """What the tables alone tell."""
    checks = (_lost(connection, acked), _ledger(connection), _twice(connection), _counters(connection),
              _ghosts(connection), _shed(connection), _audit_order(connection))  # fmt: skip
    return [anomaly for check in checks for anomaly in await check]


# -- tables -----------------------------------------------------------------------------------------------------


async def _lost(connection: Any, acked: Acked) -> list[Anomaly]:
    """Each acknowledged record lies below the place its partition has reached."""
    stands = await _progress(connection)
    return [
        Anomaly("lost", f"{place}:{offset}", f"acknowledged, but the partition stands at {stands.get(place)}")
        for place, offsets in acked.items()
        for offset in offsets
        if offset >= stands.get(place, 0)
    ]


async def _progress(connection: Any) -> dict[Place, int]:
    rows = await connection.fetch("SELECT topic, partition, next_offset FROM partition_progress")
    return {(row["topic"], row["partition"]): row["next_offset"] for row in rows}


async def _ledger(connection: Any) -> list[Anomaly]:
    """Ranges tile each partition up to its place; counts add up to them and to the rows that are there."""
    found: list[Anomaly] = []
    ends: dict[tuple[str, int, int], int] = {}
    kept = await _kept(connection)
    for row in await connection.fetch("SELECT * FROM ledger ORDER BY topic, partition, epoch, first_offset"):
        line = (row["topic"], row["partition"], row["epoch"])
        first, after = row["first_offset"], row["next_offset"]
        where = f"{line} [{first}, {after})"
        if line in ends and ends[line] != first:
            found.append(Anomaly("ledger", where, f"the range before ends at {ends[line]}"))
        ends[line] = after
        if sum(row[kind] for kind in KINDS) != after - first:
            found.append(Anomaly("ledger", where, "its counts do not add up to its range"))
        for what, column in (("audit", "audited"), ("alerts", "alerts"), ("letters", "rejected+shed")):
            offsets = kept[what][line[:2]]
            there = bisect_left(offsets, after) - bisect_left(offsets, first)
            counted = row["rejected"] + row["shed"] if what == "letters" else row[column]
            if there != counted:
                found.append(Anomaly("ledger", where, f"{counted} {what} by the ledger, {there} there"))
    last = {line[:2]: after for line, after in sorted(ends.items(), key=lambda item: item[0])}
    for place, after in (await _progress(connection)).items():
        if place in last and last[place] != after:
            found.append(Anomaly("ledger", str(place), f"ends at {last[place]}, progress stands at {after}"))
    return found


async def _kept(connection: Any) -> dict[str, dict[Place, list[int]]]:
    """Offsets that have an audit row, an alert, a letter, by partition, in order."""
    kept: dict[str, dict[Place, list[int]]] = {name: defaultdict(list) for name in ("audit", "alerts", "letters")}
    for name in ("audit", "alerts"):
        for row in await connection.fetch(f'SELECT topic, partition, "offset" FROM {name}'):
            kept[name][row["topic"], row["partition"]].append(row["offset"])
    query = 'SELECT topic, partition, "offset", detail FROM dead_letters WHERE stage = ANY($1)'
    for row in await connection.fetch(query, JUDGED):
        batch = _RANGE.search(row["detail"])
        offsets = range(int(batch[1]), int(batch[2]) + 1) if batch else [row["offset"]]
        kept["letters"][row["topic"], row["partition"]].extend(offsets)
    return {name: defaultdict(list, {at: sorted(o) for at, o in places.items()}) for name, places in kept.items()}


async def _twice(connection: Any) -> list[Anomaly]:
    """One record, two rows. Alerts and letters have derived keys; the record's place must be unique all the same."""
    found: list[Anomaly] = []
    sources = {
        "audit": "audit",
        "alerts": "alerts",
        "dead_letters": "dead_letters WHERE stage <> 'deliver' AND stage <> 'other'",
    }
    for name, source in sources.items():
        kind = ", kind" if name == "alerts" else ""
        rows = await connection.fetch(
            f'SELECT topic, partition, "offset", count(*) AS rows FROM {source}'
            f' GROUP BY topic, partition, "offset"{kind} HAVING count(*) > 1'
        )
        found += [Anomaly("twice", f"{name} {tuple(row)[:3]}", f"{row['rows']} rows") for row in rows]
    rows = await connection.fetch(
        'SELECT a.topic, a.partition, a."offset" FROM audit a JOIN dead_letters d USING (topic, partition, "offset")'
        " WHERE d.stage = ANY($1) AND NOT (a.disposition = 'shed' AND d.reason = 'shed')",
        JUDGED,
    )
    return found + [Anomaly("twice", str(tuple(row)), "an audit row and a letter") for row in rows]


async def _counters(connection: Any) -> list[Anomaly]:
    """The service level counters equal the ledger."""
    ours = await connection.fetch(
        "SELECT topic, partition, count(*) AS n FROM dead_letters WHERE reason = ANY($1) GROUP BY topic, partition",
        OURS,
    )
    failed = {(row["topic"], row["partition"]): row["n"] for row in ours}
    counted = await connection.fetch(
        "SELECT topic, partition, sum(good)::bigint AS good, sum(total)::bigint AS total FROM sli"
        " WHERE component = 'ingestor' GROUP BY topic, partition"
    )
    sli = {(row["topic"], row["partition"]): (row["good"], row["total"]) for row in counted}
    ledger = await connection.fetch(
        "SELECT topic, partition, sum(alerted + logged + ignored + unhandled)::bigint AS good,"
        " sum(shed + missing)::bigint AS bad FROM ledger GROUP BY topic, partition"
    )
    found = []
    for row in ledger:
        place = (row["topic"], row["partition"])
        wanted = (row["good"], row["good"] + row["bad"] + failed.get(place, 0))
        if sli.get(place) != wanted:
            found.append(Anomaly("counters", str(place), f"sli {sli.get(place)}, ledger {wanted}"))
    return found


async def _ghosts(connection: Any) -> list[Anomaly]:
    """Each alert has the audit row that names it, each audit row that names one has its alert."""
    rows = await connection.fetch(
        'SELECT a.id, a.topic, a.partition, a."offset" FROM alerts a LEFT JOIN audit u ON u.alert_id = a.id'
        ' AND u.topic = a.topic AND u.partition = a.partition AND u."offset" = a."offset" WHERE u.topic IS NULL'
    )
    found = [Anomaly("ghost", str(tuple(row)), "an alert without its audit row") for row in rows]
    rows = await connection.fetch(
        'SELECT u.topic, u.partition, u."offset" FROM audit u LEFT JOIN alerts a ON a.id = u.alert_id'
        " WHERE u.alert_id IS NOT NULL AND a.id IS NULL"
    )
    found += [Anomaly("alert_lost", str(tuple(row)), "an audit row names an alert that is not there") for row in rows]
    rows = await connection.fetch(
        "SELECT topic, partition, \"offset\" FROM audit WHERE disposition = 'alerted' AND alert_id IS NULL"
    )
    return found + [Anomaly("alert_lost", str(tuple(row)), "alerted, but no alert") for row in rows]


async def _shed(connection: Any) -> list[Anomaly]:
    """What is shed has an audit row and a letter; nothing at the severity floor or worse ever is (I6)."""
    rows = await connection.fetch(
        "SELECT topic, partition, \"offset\" FROM (SELECT * FROM audit WHERE disposition = 'shed') a"
        " FULL JOIN (SELECT * FROM dead_letters WHERE reason = 'shed') d USING (topic, partition, \"offset\")"
        " WHERE a.disposition IS NULL OR d.reason IS NULL"
    )
    found = [Anomaly("shed", str(tuple(row)), "not both an audit row and a letter") for row in rows]
    floor = await connection.fetchval("SELECT value::int FROM dynamic_config WHERE key = 'alerter_shed_severity_floor'")
    rows = await connection.fetch(
        "SELECT topic, partition, \"offset\", syslog_severity FROM audit WHERE disposition = 'shed'"
        " AND syslog_severity <= $1",
        2 if floor is None else floor,
    )
    return found + [Anomaly("shed", str(tuple(row)), "shed at the floor or worse") for row in rows]


async def _audit_order(connection: Any) -> list[Anomaly]:
    """Per partition, and so per host, audit rows were committed in the order of the offsets."""
    rows = await connection.fetch(
        'SELECT * FROM (SELECT topic, partition, "offset", pg_xact_commit_timestamp(xmin) AS at,'
        ' max(pg_xact_commit_timestamp(xmin)) OVER (PARTITION BY topic, partition ORDER BY "offset") AS latest'
        " FROM audit) ordered WHERE at < latest"
    )
    return [Anomaly("order", str(tuple(row)[:3]), "committed before a row of a lower offset") for row in rows]


# -- topics -----------------------------------------------------------------------------------------------------


async def _alerts_topic(connection: Any, records: list[Any]) -> list[Anomaly]:
    """Every alert of the table is on the topic, byte for byte; nothing else is; per host in order."""
    rows = await connection.fetch('SELECT id, hostname, topic, partition, "offset", payload FROM alerts')
    known = {str(row["id"]): row for row in rows}
    seen: set[str] = set()
    found: list[Anomaly] = []
    last: dict[tuple[str, str, int], int] = {}
    for record in records:
        where = f"mutt.alerts:{record.partition()}:{record.offset()}"
        alert = str(json.loads(record.value())["id"])
        row = known.get(alert)
        if row is None:
            found.append(Anomaly("ghost", where, f"no alert {alert} in the table"))
            continue
        if record.value() != row["payload"].encode():
            found.append(Anomaly("two_ids", where, f"alert {alert} differs from its row"))
        host = (row["hostname"], row["topic"], row["partition"])
        if alert not in seen and row["offset"] < last.get(host, -1):
            found.append(Anomaly("order", where, f"{host}: offset {row['offset']} came after {last[host]}"))
        last[host] = max(row["offset"], last.get(host, -1))
        seen.add(alert)
    return found + [Anomaly("alert_lost", alert, "never reached mutt.alerts") for alert in known if alert not in seen]


async def _letters_topic(connection: Any, logs: Mapping[str, list[Any]]) -> list[Anomaly]:
    """Each letter is on its topic and in the table with the bytes of the record it stands for."""
    originals = {(m.topic(), m.partition(), m.offset()): m for topic in INGEST for m in logs[topic]}
    published: dict[str, tuple[Any, Any, Any]] = {}
    found: list[Anomaly] = []
    for record in logs["mutt.dlq"]:
        headers = record.headers() or []
        letter = dict(headers).get("mutt.dlq.id", b"").decode()
        body = (record.key(), record.value(), [pair for pair in headers if not pair[0].startswith("mutt.dlq.")])
        if published.setdefault(letter, body) != body:
            found.append(Anomaly("two_ids", letter, "on mutt.dlq twice with different bytes"))
    rows = await connection.fetch("SELECT * FROM dead_letters WHERE stage = ANY($1)", JUDGED)
    for row in rows:
        letter, place = str(row["id"]), (row["topic"], row["partition"], row["offset"])
        original = originals.get(place)
        if letter not in published:
            found.append(Anomaly("bytes", letter, "never reached mutt.dlq"))
        elif original is not None and not _RANGE.search(row["detail"]):
            wanted = (original.key(), original.value(), original.headers() or [])
            names = [name.decode() for name in row["header_names"]]
            table = (row["key"], row["value"], list(zip(names, row["header_values"], strict=True)))
            if not wanted == table == published[letter]:
                found.append(Anomaly("bytes", f"{letter} of {place}", "differs from the record it stands for"))
    there = {str(row["id"]) for row in rows}
    return found + [
        Anomaly("ghost", letter, "on mutt.dlq, not in the table") for letter in published if letter not in there
    ]


async def _bytes_kept(connection: Any, logs: Mapping[str, list[Any]]) -> list[Anomaly]:
    """An audit row keeps the bytes of its record."""
    values = {(m.topic(), m.partition(), m.offset()): m.value() for topic in INGEST for m in logs[topic]}
    rows = await connection.fetch('SELECT topic, partition, "offset", raw FROM audit')
    return [
        Anomaly("bytes", str(place), "the audit row's bytes are not the record's")
        for *at, raw in map(tuple, rows)
        if (place := tuple(at)) in values and values[place] != raw
    ]


async def _kafka_behind(connection: Any, committed: Mapping[Place, int]) -> list[Anomaly]:
    """What Kafka was told is done never exceeds what is done."""
    stands = await _progress(connection)
    return [
        Anomaly("progress", str(place), f"committed to Kafka {offset}, stands at {stands.get(place)}")
        for place, offset in committed.items()
        if offset > stands.get(place, 0)
    ]


def committed_offsets(bootstrap: str, group: str = "mutt-match") -> dict[Place, int]:
    """The group's committed offsets."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    (answer,) = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)]).values()
    partitions: list[TopicPartition] = answer.result().topic_partitions
    return {(p.topic, p.partition): p.offset for p in partitions if p.offset >= 0}
