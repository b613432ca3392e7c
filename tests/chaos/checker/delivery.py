"""Alerts from their audit row to the receiver: detectors ghost, alert_lost, two_ids and order."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from tests.chaos.checker.evidence import (
    AlertFact,
    AuditRow,
    Findings,
    Partition,
    Place,
    Post,
    Record,
    World,
    digest,
    show,
)

ALERTS = "mutt.alerts"
NOT_AS_SIGNED = 401
"""The receiver's answer where id, time and body are not what was signed: bits were flipped on the way."""
REPLAYED = ("replaying", "replayed")


# -- one partition ----------------------------------------------------------------------------------------------


def check_alerts(part: Partition, world: World, out: Findings) -> None:
    """Each alert has the audit row that names it and each audit row that names one its alert; notes the alerts."""
    named = {row.alert_id: row for row in part.audit if row.alert_id is not None}
    there = {alert.id for alert in part.alerts}
    out.saw("ghost", len(part.alerts))
    out.saw("alert_lost", len(named))
    for alert in part.alerts:
        row = named.get(alert.id)
        explained = row is not None and row.offset == alert.offset
        if not explained:
            query = f"SELECT * FROM alerts WHERE id = '{alert.id}'"
            out.wrong("ghost", part.at(alert.offset), f"alert {alert.id} without its audit row", query)
        world.alerts[alert.id] = AlertFact(
            (*part.place, alert.offset), alert.kind, alert.hostname, alert.state, digest(None, alert.payload),
            row.committed if row is not None else None, explained, alert.attempts, part.epoch(alert.at),
        )  # fmt: skip
    for row in part.audit:
        if row.alert_id is not None and row.alert_id not in there:
            detail = f"the audit row names alert {row.alert_id}, which is not there"
            out.wrong("alert_lost", part.at(row.offset), detail, part.query("audit", row.offset))
        elif row.alert_id is None and row.disposition == "alerted":
            out.wrong("alert_lost", part.at(row.offset), "alerted, but no alert", part.query("audit", row.offset))
    _one_id_a_decision(part, out)
    audit_order(part, out)


def _one_id_a_decision(part: Partition, out: Findings) -> None:
    out.saw("two_ids", len(part.alerts))
    ids: dict[tuple[int, int, str], UUID] = {}
    for alert in part.alerts:
        key = (alert.offset, alert.at, alert.kind)
        if ids.setdefault(key, alert.id) != alert.id:
            detail = f"alerts {ids[key]} and {alert.id} for one decision"
            out.wrong("two_ids", part.at(alert.offset), detail, part.query("alerts", alert.offset))
    for row in _two_alerts(part.audit):
        out.wrong("two_ids", part.at(row.offset), f"two audit rows name alert {row.alert_id}")


def _two_alerts(rows: list[AuditRow]) -> Iterator[AuditRow]:
    seen: set[UUID] = set()
    for row in rows:
        if row.alert_id is not None and row.alert_id in seen:
            yield row
        elif row.alert_id is not None:
            seen.add(row.alert_id)


def audit_order(part: Partition, out: Findings) -> None:
    """Per partition, and so per host, audit rows were committed in the order of the offsets, each batch whole."""
    out.saw("order", len(part.audit))
    latest, at = 0, 0
    for row in sorted(part.audit, key=lambda row: (row.at, row.offset) if len(part.epochs) > 1 else (0, row.offset)):
        if row.committed is not None and row.committed < latest:
            detail = f"committed before offset {at}"
            out.wrong("order", part.at(row.offset), detail, part.query("audit", row.offset))
        elif row.committed is not None:
            latest, at = row.committed, row.offset
    _whole_batches(part, out)


def _whole_batches(part: Partition, out: Findings) -> None:
    """A transaction writes one stretch of offsets; one that comes back after another belongs to a fenced owner."""
    out.saw("zombie", len(part.audit))
    closed: set[int] = set()
    last: int | None = None
    for row in part.audit if len(part.epochs) == 1 else ():
        if row.xid != last and last is not None:
            closed.add(last)
        if row.xid in closed and row.xid != last:
            detail = f"transaction {row.xid} writes around another one"
            out.wrong("zombie", part.at(row.offset), detail, part.query("audit", row.offset))
        last = row.xid


# -- mutt.alerts ------------------------------------------------------------------------------------------------


class AlertsTopic:
    """Reads mutt.alerts partition by partition: every alert is there, byte for byte; nothing else is."""

    topic = ALERTS

    def __init__(self, world: World, out: Findings) -> None:
        self._world, self._out = world, out
        self._places = {fact.place: alert for alert, fact in world.alerts.items()}
        self._seen: set[UUID] = set()
        self._last: dict[tuple[str, str, int, int], int] = {}
        self._foreign = {(letter.topic, letter.partition, letter.offset) for letter in world.others}

    def take(self, place: Place, records: tuple[Record, ...]) -> None:
        self._out.saw("records on mutt.alerts", len(records))
        for record in records:
            where = f"{place[0]}:{place[1]}:{record.offset}"
            payload = _parsed(record.value)
            alert = _uuid(payload.get("id"))
            fact = self._world.alerts.get(alert) if alert else None
            if fact is None or alert is None:
                self._unexplained(where, (*place, record.offset), payload)
                continue
            if digest(None, record.value) != fact.payload:
                self._out.wrong("two_ids", where, f"alert {alert} differs from its row")
            if fact.committed is not None and record.at + 1 < fact.committed // 1000:
                early = fact.committed // 1000 - record.at
                self._out.wrong(
                    "ghost", where, f"alert {alert} was published {early} ms before its audit row was there"
                )
            self._in_order(where, alert, fact)
            self._seen.add(alert)

    def _unexplained(self, where: str, at: tuple[str, int, int], payload: Mapping[str, Any]) -> None:
        """No row has this id: it is a second id of a known decision, a record of another tool, or a ghost."""
        origin = (payload.get("topic"), payload.get("partition"), payload.get("offset"))
        if origin in self._places:
            known = self._places[origin]
            detail = f"the decision over {origin} has alert {known}; here it is {payload.get('id')}"
            self._out.wrong("two_ids", where, detail)
        elif at not in self._foreign:
            self._out.wrong("ghost", where, f"no alert {payload.get('id')} in the table")

    def _in_order(self, where: str, alert: UUID, fact: AlertFact) -> None:
        topic, partition, offset = fact.place
        host = (fact.hostname, topic, partition, fact.epoch)
        if alert not in self._seen and offset < self._last.get(host, -1):
            self._out.wrong("order", where, f"{host}: offset {offset} came after {self._last[host]}")
        self._last[host] = max(offset, self._last.get(host, -1))

    def finish(self) -> None:
        for alert in self._world.alerts.keys() - self._seen:
            place = ":".join(map(str, self._world.alerts[alert].place))
            query = f"SELECT * FROM alerts WHERE id = '{alert}'"
            self._out.wrong("alert_lost", place, f"alert {alert} never reached {ALERTS}", query)


# -- the receiver -----------------------------------------------------------------------------------------------


def check_posts(world: World, out: Findings) -> None:
    """The receiver's log against what was decided."""
    out.saw("posts", len(world.posts))
    first: dict[UUID, Post] = {}
    bodies: dict[str, str] = {}
    ids: dict[str, str] = {}
    for post in world.posts:
        if post.status == NOT_AS_SIGNED:
            out.saw("posts not as signed")
            continue
        _explained(post, world, out)
        _same(post, bodies, ids, out)
        alert = _uuid(post.id)
        if 200 <= post.status < 300 and alert is not None:
            first.setdefault(alert, post)
    if world.forwarded:
        _settled(world, first, out)
    _delivery_order(world, first, out)


def _explained(post: Post, world: World, out: Findings) -> None:
    """No alert leaves before the audit row that explains it is committed."""
    alert = _uuid(post.id)
    fact = world.alerts.get(alert) if alert else None
    where = f"webhook-id {post.id} at {post.came} µs"
    if fact is None or not fact.explained:
        out.wrong("ghost", where, "posted, and no audit row explains it")
    elif fact.committed is not None and post.came < fact.committed:
        out.wrong("ghost", where, f"posted {fact.committed - post.came} µs before its audit row was committed")


def _same(post: Post, bodies: dict[str, str], ids: dict[str, str], out: Findings) -> None:
    """One id has one body, and one body one id: every attempt carries the same."""
    if bodies.setdefault(post.id, post.sha256) != post.sha256:
        out.wrong("two_ids", f"webhook-id {post.id}", f"bodies {bodies[post.id]} and {post.sha256}")
    if ids.setdefault(post.sha256, post.id) != post.id:
        out.wrong("two_ids", f"body {post.sha256}", f"posted as {ids[post.sha256]} and as {post.id}")


def _settled(world: World, first: Mapping[UUID, Post], out: Findings) -> None:
    """Every committed alert was taken by the receiver or is dead; the table says the same."""
    out.saw("alert_lost", len(world.alerts))
    for alert, fact in world.alerts.items():
        where, query = ":".join(map(str, fact.place)), f"SELECT * FROM alerts WHERE id = '{alert}'"
        if fact.state == "delivered" and alert not in first:
            out.wrong("alert_lost", where, f"alert {alert} is marked delivered, the receiver never took it", query)
        elif fact.state == "pending":
            taken = "was taken" if alert in first else "was never taken"
            out.wrong("alert_lost", where, f"alert {alert} waits though all is quiet; it {taken}", query)


def _delivery_order(world: World, first: Mapping[UUID, Post], out: Findings) -> None:
    """Per host, first deliveries follow the offsets. Two sorts of alerts need not: one that was dead and sent again by
    a replay, and one that is dead and was taken all the same, from another owner who posted it at the same time.
    """
    again = {letter.alert_id for letter in world.others if letter.alert_id and (letter.replays or letter.replay_id)}
    last: dict[tuple[str, str, int, int], tuple[int, UUID]] = {}
    out.saw("order", len(first))
    for alert, post in sorted(first.items(), key=lambda item: item[1].at):
        fact = world.alerts.get(alert)
        if fact is None or alert in again or fact.state == "dead":
            continue
        topic, partition, offset = fact.place
        line = (fact.hostname, topic, partition, fact.epoch)
        before, other = last.setdefault(line, (offset, alert))
        if offset < before:
            detail = f"{fact.hostname}: alert {alert} of offset {offset} was taken after {other} of {before}"
            out.wrong("order", f"{topic}:{partition}:{offset}", detail, f"receiver log: {show([post.came, post.at])}")
        else:
            last[line] = (offset, alert)


def _parsed(value: bytes | None) -> Mapping[str, Any]:
    try:
        parsed = json.loads(value or b"")
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _uuid(text: object) -> UUID | None:
    try:
        return UUID(str(text))
    except ValueError:
        return None
