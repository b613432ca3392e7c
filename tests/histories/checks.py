"""What must hold when a history is quiet: I1 to I7 over its tables, topics and receiver, by own arithmetic.

Names of detectors are those of RELIABILITY section 2.
"""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise

from msgspec import Struct

from schemas import codec
from schemas.alerts import AlertState
from schemas.dead_letters import Reason
from schemas.rows import ALERTS, AUDIT, EPOCH
from schemas.topics import ALERTS as ALERTS_TOPIC
from tests.histories.records import Sent, Sort, expected, is_audited
from tests.histories.scene import TOPIC
from tests.histories.tables import ALERT_PAYLOAD, Commit, Line
from tests.histories.world import World

OFFSET, TIME, HOST = AUDIT.index("offset"), AUDIT.index("broker_time"), AUDIT.index("hostname")
KIND, ALERT_ID = ALERTS.index("kind"), AUDIT.index("alert_id")


class Anomaly(Struct, frozen=True):
    """One thing that is not as it must be."""

    detector: str
    where: str
    detail: str


def anomalies(world: World) -> list[Anomaly]:
    """Everything found, in the order of the detectors; each place once."""
    found = [Anomaly(*seen) for seen in world.seen]
    for detect in DETECTORS:
        found += [Anomaly(*what) for what in detect(world)]
    return list(dict.fromkeys(found))


Found = Iterator[tuple[str, str, str]]


def _lost(world: World) -> Found:
    """Every record that is in a log lies in a range of the ledger, of the epoch in which it was read."""
    tables = world.tables
    done: set[tuple[str, int, int, int]] = set()
    for commit in tables.commits:
        done.update((*commit.place, record.offset, record.timestamp) for record in commit.decided.work.records)
    for sent in world.logs.sent.values():
        if sent.name not in world.logs.removed and sent.name not in done:
            yield "lost", str(sent.name), f"{sent.sort} record was never decided over"


def _twice(world: World) -> Found:
    """One decision a record, and one row for each alert and letter."""
    seen: Counter[tuple[str, int, int, int]] = Counter()
    for commit in world.tables.commits:
        seen.update((*commit.place, record.offset, record.timestamp) for record in commit.decided.work.records)
    yield from (("twice", str(name), f"decided {count} times") for name, count in seen.items() if count > 1)
    for (what, name), count in Counter(world.tables.inserted).items():
        if count > 1:
            yield "twice", str(name), f"{count} rows of one {what}"


def _ledger(world: World) -> Found:
    tables = world.tables
    for (place, epoch), lines in tables.ledger.items():
        for before, line in pairwise(lines):
            if before.after != line.first:
                yield "ledger", str(place), f"epoch {epoch}: {before.after} is followed by {line.first}"
        stand = tables.stands[place]
        if stand.epoch == epoch and lines and lines[-1].after != stand.next_offset:
            yield "ledger", str(place), f"it ends at {lines[-1].after}, progress stands at {stand.next_offset}"
        commits = [commit for commit in tables.commits if (commit.place, commit.epoch) == (place, epoch)]
        for line in lines:
            yield from _line(world, line, [commit for commit in commits if line.first <= commit.first < line.after])


def _line(world: World, line: Line, commits: list[Commit]) -> Found:
    where = f"{line.place} [{line.first}, {line.after})"
    counted = sum(line.counts.values()) + line.missing
    if counted != line.after - line.first:
        yield "ledger", where, f"{counted} counted"
    rows = sum(len(commit.decided.audit) for commit in commits)
    letters = sum(len(commit.decided.letters) for commit in commits)
    if (line.audited, line.counts["rejected"] + line.counts["shed"]) != (rows, letters):
        yield "ledger", where, f"{line.audited} audited, {line.counts}; {rows} rows, {letters} letters"
    if line.alerts != sum(len(commit.decided.alert_rows) for commit in commits):
        yield "ledger", where, f"{line.alerts} alerts"
    there = {record.offset for commit in commits for record in commit.decided.work.records}
    gone = {name[2] for name in world.logs.removed if name[:2] == line.place}
    if missing := [at for at in range(line.first, line.after) if at not in there and at not in gone]:
        yield "ledger", where, f"{missing} are missing, though they were in the log"
    if len(there) + line.missing != line.after - line.first:
        yield "ledger", where, f"{len(there)} records and {line.missing} missing"


def _counters(world: World) -> Found:
    for place in world.tables.stands:
        lines = [line for (where, _), rows in world.tables.ledger.items() if where == place for line in rows]
        good = sum(line.counts[name] for line in lines for name in ("alerted", "logged", "ignored", "unhandled"))
        total = sum(line.after - line.first for line in lines)
        read = total - sum(line.missing for line in lines)
        if world.tables.sli["audit", place] != [read, total]:
            yield "counters", str(place), f"audit {world.tables.sli['audit', place]}, ledger {read} of {total}"
        if world.tables.sli["ingestor", place][0] != good:
            yield "counters", str(place), f"ingestor {world.tables.sli['ingestor', place]}, ledger {good}"


def _progress(world: World) -> Found:
    """Progress moved from commit to commit without a fall or a jump."""
    last: dict[tuple[tuple[str, int], int], int] = {}
    for commit in world.tables.commits:
        before = last.get((commit.place, commit.epoch))
        if before is not None and before != commit.first:
            yield "progress", str(commit.place), f"went from {before} to {commit.first}"
        last[commit.place, commit.epoch] = commit.after


def _zombie(world: World) -> Found:
    """Who was fenced wrote nothing more under the same assignment, once another owner had written."""
    events = [(number, "fenced", writer, place) for number, writer, place in world.tables.fenced]
    events += [(commit.number, "wrote", commit.writer, commit.place) for commit in world.tables.commits]
    fenced: dict[tuple[str, int], set[object]] = defaultdict(set)
    newest: dict[tuple[str, int], int] = defaultdict(lambda: -1)
    for _, what, writer, place in sorted(events, key=lambda event: event[0]):
        generation = writer[1]  # type: ignore[index]
        if what == "fenced":
            fenced[place].add(writer)
        elif writer in fenced[place] and generation < newest[place]:
            yield "zombie", str(place), f"{writer} was fenced, and wrote after generation {newest[place]}"
        if what == "wrote":
            newest[place] = max(newest[place], generation)


def _ghost(world: World) -> Found:
    for number, name, body, _ in world.servers.receiver.log:
        line = world.tables.alerts.get(name)
        if line is None or line.number > number:
            yield "ghost", str(name), "posted before it was committed"
        if codec.decode_alert(body).id != name:
            yield "two_ids", str(name), f"its body names {codec.decode_alert(body).id}"
    audited = {row[ALERT_ID] for commit in world.tables.commits for row in commit.decided.audit}
    for name in world.tables.alerts:
        if name not in audited:
            yield "ghost", str(name), "no audit row explains it"


def _alert_lost(world: World) -> Found:
    taken = {name for _, name, _, status in world.servers.receiver.log if status is not None and status < 300}
    dead = {line.letter.alert_id for line in world.tables.letters.values()}
    logs = (log for (topic, _), log in world.broker.logs.items() if topic == ALERTS_TOPIC.name)
    there = {record.value for log in logs for record in log.records.values()}
    for name, line in world.tables.alerts.items():
        if line.row[ALERT_PAYLOAD].encode() not in there:
            yield "alert_lost", str(name), "it is not on mutt.alerts"
        if line.state is AlertState.DELIVERED and name not in taken:
            yield "alert_lost", str(name), "delivered, says its row; the receiver knows nothing of it"
        if line.state is AlertState.DEAD and name not in dead:
            yield "alert_lost", str(name), "dead without a letter"


def _two_ids(world: World) -> Found:
    bodies: dict[uuid.UUID, bytes] = {}
    for _, name, body, _ in world.servers.receiver.log:
        if bodies.setdefault(name, body) != body:
            yield "two_ids", str(name), "one id with two bodies"
    ids: defaultdict[object, set[uuid.UUID]] = defaultdict(set)
    for name, body in bodies.items():
        alert = codec.decode_alert(body)
        line = world.tables.alerts.get(alert.id)
        ids[alert.topic, alert.partition, alert.offset, line and line.record_time].add(name)
    yield from (("two_ids", str(what), f"{len(found)} ids") for what, found in ids.items() if len(found) > 1)


def _order(world: World) -> Found:
    """Per host: audit rows in the order of commits, and first deliveries, follow the log; replays may not.

    A dead alert stands outside: where two owners post at once, and the receiver refuses the one and takes the other's.
    """
    first: dict[uuid.UUID, int] = {}
    for number, name, _, status in world.servers.receiver.log:
        if status is not None and status < 300:
            first.setdefault(name, number)
    replayed = {line.letter.alert_id for line in world.tables.letters.values() if line.replay_id is not None}
    hosts: defaultdict[str, list[tuple[int, int, uuid.UUID]]] = defaultdict(list)
    numbers = _times(world)
    for name, line in world.tables.alerts.items():
        sent = world.logs.sent.get((*line.row[2:4], line.row[4], numbers[name]))  # type: ignore[arg-type]
        dead = line.state is AlertState.DEAD
        if name in first and name not in replayed and not dead and not (sent and sent.replay):
            hosts[line.row[ALERTS.index("hostname")]].append((line.number, line.row[4], name))
    for host, alerts in hosts.items():
        inorder = sorted(alerts)
        for (_, one, before), (_, two, after) in pairwise(inorder):
            if first[before] > first[after]:
                yield "order", host, f"offset {two} was delivered before {one}"


def _times(world: World) -> dict[uuid.UUID, int]:
    return {
        name: round((line.record_time - EPOCH).total_seconds() * 1000) for name, line in world.tables.alerts.items()
    }


def _decision(world: World) -> Found:
    """Each record got what its sort and the rules of its batch say, at the depth of its turn (shed, blame too)."""
    for commit in world.tables.commits:
        decided = commit.decided
        work, known = decided.work, world.members.versions.all[decided.work.knowledge.rule_set.version]
        audit = {row[OFFSET]: str(row[AUDIT.index("disposition")]) for row in decided.audit}
        letters = {letter.offset: letter.reason for letter in decided.letters}
        alerts = {row[4]: row[KIND] for row in decided.alert_rows}
        depth, hidden = work.depth, Counter[str]()
        for record in work.records:
            sent = world.logs.sent.get((*commit.place, record.offset, record.timestamp))
            if sent is None:
                yield "decision", str(commit.place), f"nobody wrote {record}"
                continue
            wanted = expected(sent, known, depth)
            depth += record.offset in alerts
            again = "ignored" if sent.replay and record.offset not in audit and record.offset not in letters else None
            yield from _judge(
                sent, again or wanted, audit.get(record.offset), letters.get(record.offset), known.rule_set.config
            )
            hidden[again or wanted] += 1
        counts = Counter({name.value: count for name, count in decided.counts.items() if count})
        if counts != hidden:
            yield "decision", str(commit.place), f"counted {dict(counts)}, own count {dict(hidden)}"


def _judge(sent: Sent, wanted: str, audited: str | None, reason: Reason | None, config: object) -> Found:
    shown = is_audited(wanted, config)  # type: ignore[arg-type]
    if (shown and audited != wanted) or (not shown and audited not in (None, "unhandled")):
        detector = "shed" if "shed" in (wanted, audited) else "decision"
        yield detector, str(sent.name), f"{sent.sort} of severity {sent.severity} is {audited}, must be {wanted}"
    blamed = {"rejected": _REASONS.get(sent.sort), "shed": Reason.SHED}.get(wanted)
    if reason is not blamed:
        yield (
            ("shed" if Reason.SHED in (reason, blamed) else "blame"),
            str(sent.name),
            f"letter {reason}, must be {blamed}",
        )


_REASONS = {Sort.REJECTED: Reason.JSON, Sort.TOMBSTONE: Reason.TOMBSTONE, Sort.POISON: Reason.DATABASE_VALUE}


def _bytes(world: World) -> Found:
    """Letters of ingest records hold what was sent; those of alerts what is on mutt.alerts."""
    for name, line in world.tables.letters.items():
        letter = line.letter
        if letter.reason is Reason.FOREIGN:
            yield "blame", str(name), f"foreign letter: {letter.detail}"
        if letter.topic == TOPIC:
            sent = world.logs.sent.get((letter.topic, letter.partition, letter.offset, letter.timestamp))
            if sent is None or (sent.value, sent.host.encode()) != (letter.value, letter.key):
                yield "bytes", str(name), "not what was sent"
        elif letter.topic == ALERTS_TOPIC.name and letter.reason is Reason.DELIVERY:
            refused = {status for _, alert, _, status in world.servers.receiver.log if alert == letter.alert_id}
            if not refused & {400, 422, 301}:
                yield "blame", str(name), f"dead, though the receiver answered {refused}"


def _replay(world: World) -> Found:
    """A letter that is replayed is judged once for each replay."""
    judged: Counter[uuid.UUID] = Counter()
    for commit in world.tables.commits:
        judged.update(commit.decided.replayed)
    taken: Counter[uuid.UUID] = Counter()
    for letter, _ in world.desk.replays:
        taken[letter] += 1
    for letter, count in judged.items():
        if count > taken[letter]:
            yield "replay", str(letter), f"judged {count} times, replayed {taken[letter]} times"


DETECTORS = (
    _lost, _ledger, _twice, _counters, _progress, _zombie, _ghost, _alert_lost, _two_ids, _order, _decision, _bytes,
    _replay,
)  # fmt: skip
NAMES: Iterable[str] = (
    "lost", "ledger", "twice", "counters", "progress", "zombie", "ghost", "alert_lost", "two_ids", "order", "decision",
    "shed", "blame", "bytes", "replay", "cap", "stuck", "died",
)  # fmt: skip
