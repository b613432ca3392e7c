"""The balance sheet: what was sent against what tables, broker and receiver hold. Its own SQL throughout."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg

from ops.demo.pressure import FLOOR

Partition = tuple[str, int]

DELIVERY = ("delivery", "delivery_expired")
"""Reasons of letters that stand for alerts; all others stand for records."""

SHED = "shed"

SHED_BY_SEVERITY = """
SELECT least(a.syslog_severity,
             CASE r.alert_severity WHEN 'critical' THEN 2 WHEN 'major' THEN 3 WHEN 'warning' THEN 4 WHEN 'minor' THEN 5
                                   WHEN 'info' THEN 7 WHEN 'clear' THEN 7 ELSE coalesce(a.syslog_severity, 4) END
       )::integer AS severity, count(*) AS events
  FROM dead_letters d JOIN audit a USING (topic, partition, "offset") LEFT JOIN alert_rules r ON r.id = a.rule_id
 WHERE d.reason = 'shed' GROUP BY 1 ORDER BY 1 DESC
"""
"""Events shed, by the worse of their own severity and what their rule makes of it."""


@dataclass(frozen=True, slots=True)
class Received:
    """What the receiver's log says."""

    accepted: Counter[str]
    """Times each id was answered 2xx."""
    refused: Counter[int]
    """Other answers, by status."""

    @property
    def duplicates(self) -> int:
        return self.accepted.total() - len(self.accepted)


def read_receiver(log: Path) -> Received:
    """Reads the receiver's log: a JSON object a post."""
    accepted: Counter[str] = Counter()
    refused: Counter[int] = Counter()
    with log.open(encoding="utf-8") as lines:
        for line in lines:
            post = json.loads(line)
            if post["status"] < 300:
                if not post["id"].startswith("probe-"):
                    accepted[post["id"]] += 1
            else:
                refused[post["status"]] += 1
    return Received(accepted, refused)


@dataclass(slots=True)
class Sheet:
    """Lines that must hold, each with both sides."""

    lines: list[dict[str, Any]] = field(default_factory=list)

    def equal(self, what: str, left: object, right: object) -> None:
        self.lines.append({"check": what, "ok": left == right, "left": left, "right": right})

    @property
    def balanced(self) -> bool:
        return all(line["ok"] for line in self.lines)


@dataclass(frozen=True, slots=True)
class Sides:
    """What the tables are compared with."""

    acknowledged: Mapping[Partition, int]
    """Records the broker acknowledged to the producer."""
    ends: Mapping[Partition, int]
    """Log ends of the ingest partitions."""
    received: Received
    rejected: Mapping[str, int] | None = None
    """Dead letters that must exist, by reason; None where nobody knows."""
    storms: int | None = None
    """Meta-alerts that must exist; None where nobody knows."""


async def balance(connection: asyncpg.Connection, sides: Sides) -> dict[str, Any]:
    """Every figure of the balance sheet, its lines, and whether all of them hold."""
    sheet = Sheet()
    replayed = await _replayed(connection, sheet)
    result = {
        "produced": _produced(sides, replayed, sheet),
        "dispositions": await _ledger(connection, sides, replayed.total(), sheet),
        "offsets": {
            "log_end": sum(sides.ends.values()),
            "accounted": await _number(connection, "SELECT sum(next_offset - first_offset) FROM ledger"),
        },
        "audit": await _audit(connection, sheet),
        "alerts": await _alerts(connection, sides, sheet),
        "dead_letters": await _letters(connection, sides, sheet),
        "shed": await _shed(connection, sheet),
        "configuration": await _configuration(connection, sheet),
    }
    return result | {"checks": sheet.lines, "balanced": sheet.balanced}


async def _replayed(connection: asyncpg.Connection, sheet: Sheet) -> Counter[Partition]:
    """Records that replays put back on the ingest topics: they are longer by these."""
    rows = await connection.fetch(
        "SELECT topic, partition, sum(replays)::bigint AS sent, reason = ANY($1) AS alerts FROM dead_letters"
        " WHERE replays > 0 GROUP BY topic, partition, alerts",
        DELIVERY,
    )
    sent = await _number(connection, "SELECT sum(sent) FROM replays")
    sheet.equal("letters sent by replays = replays that letters count", sent, sum(row["sent"] for row in rows))
    return Counter({(row["topic"], row["partition"]): row["sent"] for row in rows if not row["alerts"]})


def _produced(sides: Sides, replayed: Counter[Partition], sheet: Sheet) -> dict[str, int]:
    produced: Counter[str] = Counter()
    for (topic, _), count in sides.acknowledged.items():
        produced[topic] += count
    for place in sorted(set(sides.ends) | set(sides.acknowledged) | set(replayed)):
        sent, end = sides.acknowledged.get(place, 0) + replayed[place], sides.ends.get(place, 0)
        if sent != end:
            sheet.equal(f"records acknowledged and replayed = length of the log of {place[0]}-{place[1]}", sent, end)
    total, again = produced.total(), replayed.total()
    sheet.equal("records acknowledged and replayed = length of the logs", total + again, sum(sides.ends.values()))
    return {**dict(sorted(produced.items())), "total": total, "replayed": again}


async def _ledger(connection: asyncpg.Connection, sides: Sides, replayed: int, sheet: Sheet) -> dict[str, int]:
    rows = await connection.fetch("SELECT * FROM ledger ORDER BY topic, partition, epoch, first_offset")
    names = ("alerted", "logged", "ignored", "unhandled", "shed", "rejected")
    sums = {name: sum(row[name] for row in rows) for name in names}
    sent = sum(sides.acknowledged.values()) + replayed
    sheet.equal("records acknowledged and replayed = dispositions", sent, sum(sums.values()))
    sheet.equal("offsets that the ledger leaves out or counts twice", holes(rows, sides.ends), [])
    sheet.equal("offsets the log no longer had", sum(row["missing"] for row in rows), 0)
    progress = await connection.fetch("SELECT topic, partition, next_offset FROM partition_progress")
    stands = {(row["topic"], row["partition"]): row["next_offset"] for row in progress if row["next_offset"]}
    sheet.equal("partitions not at the end of their log", _differing(stands, sides.ends), [])
    return sums


def holes(rows: list[Any], ends: Mapping[Partition, int]) -> list[str]:
    """Where the ranges [first_offset, next_offset) do not tile [0, end) of their partition; empty when they do."""
    found = []
    reached: dict[Partition, int] = dict.fromkeys(ends, 0)
    for row in rows:
        place = (row["topic"], row["partition"])
        at = reached.get(place, 0)
        if row["first_offset"] != at:
            found.append(f"{place[0]}-{place[1]}: {at} to {row['first_offset']}")
        reached[place] = row["next_offset"]
    found += [
        f"{place[0]}-{place[1]}: {at} to {ends.get(place, 0)}"
        for place, at in reached.items()
        if at != ends.get(place, 0)
    ]
    return found


def _differing(stands: Mapping[Partition, int], ends: Mapping[Partition, int]) -> list[str]:
    return [f"{place[0]}-{place[1]}" for place, end in sorted(ends.items()) if stands.get(place, 0) != end]


async def _audit(connection: asyncpg.Connection, sheet: Sheet) -> dict[str, int]:
    rows = await connection.fetch("SELECT disposition, count(*) AS n FROM audit GROUP BY disposition ORDER BY 1")
    found = {row["disposition"]: row["n"] for row in rows}
    audited, alerted, logged = [
        await _number(connection, f"SELECT sum({column}) FROM ledger")  # noqa: S608 - our own names
        for column in ("audited", "alerted", "logged")
    ]
    total = sum(found.values())
    sheet.equal("audit rows = the ledger's", total, audited)
    sheet.equal("audit rows of alerted events = the ledger's", found.get("alerted", 0), alerted)
    sheet.equal("audit rows of logged events = the ledger's", found.get("logged", 0), logged)
    twice = 'SELECT count(*) FROM (SELECT 1 FROM audit GROUP BY topic, partition, "offset" HAVING count(*) > 1) twice'
    sheet.equal("events audited twice", await connection.fetchval(twice), 0)
    return {**found, "total": total, "ledger": audited}


async def _alerts(connection: asyncpg.Connection, sides: Sides, sheet: Sheet) -> dict[str, int]:
    rows = await connection.fetch("SELECT id::text, kind, state FROM alerts")
    ids = {state: {row["id"] for row in rows if row["state"] == state} for state in ("pending", "delivered", "dead")}
    accepted = set(sides.received.accepted)
    committed, dead = len(rows), len(ids["dead"])
    sheet.equal(
        "alerts committed = the ledger's", committed, await _number(connection, "SELECT sum(alerts) FROM ledger")
    )
    sheet.equal("alerts committed = distinct ids received + dead", committed, len(accepted) + dead)
    sheet.equal("alerts delivered but not received, or received but not delivered", len(ids["delivered"] ^ accepted), 0)
    unexplained = """SELECT count(*) FROM alerts l WHERE NOT EXISTS (SELECT 1 FROM audit a WHERE a.alert_id = l.id
        AND (a.topic, a.partition, a."offset") = (l.topic, l.partition, l."offset"))"""
    sheet.equal("alerts without an audit row", await _number(connection, unexplained), 0)
    sheet.equal("alerts that still wait", len(ids["pending"]), 0)
    metas = sum(row["kind"] == "unhandled" for row in rows)
    if sides.storms is not None:
        sheet.equal("storms of unhandled events = meta-alerts", sides.storms, metas)
    return {
        "committed": committed, "received": len(accepted), "dead": dead, "pending": len(ids["pending"]),
        "duplicates": sides.received.duplicates, "meta": metas,
    }  # fmt: skip


async def _letters(connection: asyncpg.Connection, sides: Sides, sheet: Sheet) -> dict[str, Any]:
    rows = await connection.fetch("SELECT reason, state, count(*) AS n FROM dead_letters GROUP BY 1, 2 ORDER BY 1, 2")
    records: Counter[str] = Counter()
    deliveries: Counter[str] = Counter()
    for row in rows:
        if row["reason"] in DELIVERY:
            deliveries[row["state"]] += row["n"]
        else:
            records[row["reason"]] += row["n"]
    rejected = await _number(connection, "SELECT sum(rejected) FROM ledger")
    poisoned = {reason: count for reason, count in sorted(records.items()) if reason != SHED}
    sheet.equal("records rejected = dead letters of records", rejected, sum(poisoned.values()))
    dead = await _number(connection, "SELECT count(*) FROM alerts WHERE state = 'dead'")
    sheet.equal("dead alerts = delivery letters not replayed", dead, deliveries.total() - deliveries["replayed"])
    if sides.rejected is not None:
        sheet.equal("poisoned records sent = dead letters", dict(sorted(sides.rejected.items())), poisoned)
    return {"records": dict(sorted(records.items())), "deliveries": dict(deliveries)}


async def _shed(connection: asyncpg.Connection, sheet: Sheet) -> dict[str, Any]:
    """What was shed is a letter each, of a severity that may be shed, and came back through intake or lies open."""
    rows = await connection.fetch("SELECT state, count(*) AS n FROM dead_letters WHERE reason = 'shed' GROUP BY 1")
    states = Counter({row["state"]: row["n"] for row in rows})
    severities = {row["severity"]: row["events"] for row in await connection.fetch(SHED_BY_SEVERITY)}
    events = await _number(connection, "SELECT sum(shed) FROM ledger")
    audited = await _number(connection, "SELECT count(*) FROM audit WHERE disposition = 'shed'")
    sheet.equal("events shed = letters of what was shed", events, states.total())
    sheet.equal("events shed = their audit rows", events, audited)
    sheet.equal("events shed = those whose severity is known", events, sum(severities.values()))
    spared = sum(count for severity, count in severities.items() if severity <= FLOOR)
    sheet.equal(f"events shed at severity {FLOOR} or worse", spared, 0)
    sheet.equal(
        "letters of what was shed, neither replayed nor open", states.total() - states["replayed"] - states["open"], 0
    )
    sheet.equal("letters replayed = those an audit row names", states["replayed"], await _number(connection, _AGAIN))
    return {
        "total": events, "by_severity": {str(severity): count for severity, count in severities.items()},
        "replayed": states["replayed"], "open": states["open"],
    }  # fmt: skip


_AGAIN = """
SELECT count(DISTINCT replay_of) FROM audit
 WHERE replay_of IN (SELECT id FROM dead_letters WHERE reason = 'shed' AND state = 'replayed')
"""


async def _configuration(connection: asyncpg.Connection, sheet: Sheet) -> dict[str, int]:
    """Every key is what the audit of changes last said."""
    unexplained = """SELECT count(*) FROM dynamic_config c WHERE c.value IS DISTINCT FROM
        (SELECT a.new_values ->> 'value' FROM config_audit a WHERE a.table_name = 'dynamic_config' AND a.object = c.key
          ORDER BY a.id DESC LIMIT 1)"""
    sheet.equal("configuration that its audit does not explain", await _number(connection, unexplained), 0)
    changes = "SELECT count(*) FROM config_audit WHERE table_name = 'dynamic_config'"
    return {"changes": await _number(connection, changes)}


async def _number(connection: asyncpg.Connection, query: str) -> int:
    return int(await connection.fetchval(query) or 0)
