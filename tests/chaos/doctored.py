"""A small clean world as the checker sees it, for tests that spoil it: five records, each with another fate."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256
from typing import Any
from uuid import UUID

from tests.chaos.checker import books, delivery, letters, pressure
from tests.chaos.checker.decisions import Decisions
from tests.chaos.checker.evidence import (
    KINDS,
    AlertRow,
    AuditRow,
    Findings,
    LedgerRow,
    Letter,
    LetterFact,
    Log,
    Partition,
    Place,
    Post,
    Record,
    Sent,
    Standing,
    World,
    digest,
)
from tests.chaos.checker.rules import Change, History

PLACE: Place = ("mutt.ingest.syslog", 3)
ALERT, LETTER = UUID(int=1), UUID(int=2)
BEGAN, COMMITTED = 1_790_000_000_000, 1_790_000_000_050_000
"""Broker time of the records, ms; when their batch was committed, µs."""
RULES = (
    {"id": 1, "match_string": "link down", "prod_handling": "Page_and_ticket", "dev_handling": "Log_only"},
    {"id": 2, "match_string": "saved", "prod_handling": "Log_only", "dev_handling": "Ignore"},
    {"id": 3, "match_string": "heartbeat", "prod_handling": "Ignore", "dev_handling": "Ignore"},
)
TEXTS = ("Link DOWN on port 7", "config saved", "heartbeat", "nobody knows this")


def rule(**columns: Any) -> dict[str, Any]:
    """A rule as the audit of configuration writes it down."""
    return {
        "version": 1, "match_type": "contains", "match_string": None, "trap_oid": None, "syslog_severity": None,
        "severity_match": "exact", "priority": 100, "prod_handling": "Log_only", "dev_handling": "Log_only",
        "team_assignment": "netops", "alert_severity": None, "description": None, "is_active": True, "mode": "active",
        "retired_at": None,
    } | columns  # fmt: skip


def changes(rows: tuple[dict[str, Any], ...] = RULES) -> list[Change]:
    """The audit of these rules, each made by a transaction of its own."""
    return [
        Change(at, 100 + at, 1_000 * at, "CREATE", "alert_rules", str(row["id"]), None, rule(**row))
        for at, row in enumerate(rows, 1)
    ]


def event(text: str, **fields: Any) -> bytes:
    """A JSON record of host h1."""
    return json.dumps({"timestamp": "2026-03-01T12:00:00Z", "hostname": "h1", "message": text} | fields).encode()


def audit_row(offset: int, record: Record, **columns: Any) -> AuditRow:
    values = {
        "offset": offset, "at": record.at, "hostname": "h1", "severity": None, "disposition": "logged", "rule_id": 2,
        "rule_version": 1, "ruleset_version": 4, "handling": "Log_only", "team": "netops", "alert_id": None,
        "replay_of": None, "trap_oid": None, "message": TEXTS[1], "flags": (), "raw": record.value,
        "committed": COMMITTED, "xid": 700,
    }  # fmt: skip
    return AuditRow(**(values | columns))


def letter(offset: int, record: Record, **columns: Any) -> Letter:
    values = {
        "id": LETTER, "stage": "decode", "reason": "json", "detail": "not JSON", "topic": PLACE[0],
        "partition": PLACE[1], "offset": offset, "at": record.at, "key": record.key, "value": record.value,
        "headers": record.headers, "rule_id": None, "alert_id": None, "state": "open", "replays": 0, "replay_id": None,
        "replay_of": None, "replayed": None, "failed": COMMITTED - 1000,
    }  # fmt: skip
    return Letter(**(values | columns))


def alert_row(**columns: Any) -> AlertRow:
    payload = json.dumps({"id": str(ALERT), "topic": PLACE[0], "partition": PLACE[1], "offset": 0}).encode()
    values = {
        "id": ALERT, "kind": "event", "offset": 0, "at": BEGAN, "hostname": "h1", "severity": 3, "rule_id": 1,
        "team": "netops", "handling": "Page_and_ticket", "payload": payload, "state": "delivered", "attempts": 1,
        "created": COMMITTED - 500, "settled": COMMITTED + 9_000,
    }  # fmt: skip
    return AlertRow(**(values | columns))


def ledger_row(first: int, after: int, **counts: int) -> LedgerRow:
    """A ledger row of these counts; audit rows and alerts follow from them."""
    whole = dict.fromkeys(KINDS, 0) | counts
    audited = whole["alerted"] + whole["logged"] + whole["shed"]
    return LedgerRow(0, first, after, 4, whole, audited, whole["alerted"])


def partition() -> Partition:
    """Offsets 0 to 4: alerted, logged, ignored, unhandled, rejected; one batch, and all is well."""
    values = [*map(event, TEXTS), b'{"broken']  # fmt: skip
    headers = ((b"trace", b"1"), (b"trace", b"2"))
    records = tuple(Record(at, BEGAN + at, b"h1", value, headers) for at, value in enumerate(values))
    sent = [
        Sent(r.offset, r.offset, digest(r.key, r.value, r.headers), "rejected:json" if r.offset == 4 else None)
        for r in records
    ]
    named = {"disposition": "alerted", "rule_id": 1, "handling": "Page_and_ticket", "alert_id": ALERT}
    last = sha256(b"h1\0" + values[4]).digest()
    book = ledger_row(0, 5, alerted=1, logged=1, ignored=1, unhandled=1, rejected=1)._replace(sha256=last)
    return Partition(
        *PLACE, standing=Standing(0, 5, None), ledger=[book],
        audit=[audit_row(0, records[0], message=TEXTS[0], **named), audit_row(1, records[1])],
        alerts=[alert_row()], letters=[letter(4, records[4])], sli={"ingestor": (4, 4), "audit": (5, 5)},
        log=Log(0, 5, records), sent=sent, journaled=True,
    )  # fmt: skip


def post(**columns: Any) -> Post:
    """The receiver took the alert, 5 ms after its batch was committed."""
    values = {"came": COMMITTED + 5_000, "at": COMMITTED + 6_000, "id": str(ALERT), "status": 200, "sha256": "aa"}
    return Post(**(values | columns))


def world(*posts: Post) -> World:
    return World(posts=list(posts), forwarded=bool(posts))


def fact(one: Letter) -> LetterFact:
    place = (one.topic, one.partition, one.offset)
    return LetterFact(place, one.reason, one.state, one.replays, one.replay_id, one.replayed)


def published(part: Partition) -> dict[str, tuple[Record, ...]]:
    """What lies on mutt.alerts and mutt.dlq, partition 0, for the alerts and letters of a partition."""
    at = COMMITTED // 1000 + 1
    alerts = tuple(Record(n, at, b"h1", alert.payload) for n, alert in enumerate(part.alerts))
    dead = tuple(
        Record(n, at, one.key, one.value, (*one.headers, *letter_headers(one))) for n, one in enumerate(part.letters)
    )
    return {delivery.ALERTS: alerts, letters.DLQ: dead}


def letter_headers(one: Letter) -> tuple[tuple[bytes, bytes], ...]:
    texts = {"id": str(one.id), "stage": one.stage, "reason": one.reason, "detail": one.detail, "topic": one.topic,
             "partition": str(one.partition), "offset": str(one.offset), "timestamp": str(one.at), "attempts": "1",
             "first_failed_at": "x", "last_failed_at": "x", "replays": str(one.replays)}  # fmt: skip
    return tuple((f"mutt.dlq.{name}".encode(), text.encode()) for name, text in texts.items())


def found(
    part: Partition, known: World | None = None, *, topics: dict[str, tuple[Record, ...]] | None = None,
    history: History | None = None, backlog: float | None = None,
) -> Findings:  # fmt: skip
    """What every detector over partitions, topics and posts says of this world."""
    out, known = Findings(), known or world(post())
    known.letters |= {one.id: fact(one) for one in (*part.letters, *known.others)}
    books.check_books(part, out)
    delivery.check_alerts(part, known, out)
    letters.check_letters(part, known, out)
    pressure.shed(part, known, out)
    decisions = Decisions(history or History(changes(), version=4), out)
    decisions.take(part)
    decisions.finish()
    there = topics or published(part)
    for reader in (delivery.AlertsTopic(known, out), letters.LettersTopic(known, out)):
        reader.take((reader.topic, 0), there[reader.topic])
        reader.finish()
    delivery.check_posts(known, out)
    letters.check_replays(known, out)
    letters.check_refusals(known, out)
    pressure.check_backlog(known, backlog, out)
    return out


def spoiled(part: Partition, **fields: Any) -> Partition:
    """The partition with other fields."""
    return replace(part, **fields)
