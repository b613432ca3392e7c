"""Detectors over one partition: each is silent over a clean world and speaks over the fault it is there for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from tests.chaos import doctored
from tests.chaos.checker.books import failed_are_not_there, kafka_behind
from tests.chaos.checker.evidence import Epoch, Findings, Log, Move, Partition, Standing
from tests.chaos.checker.moves import check_moves
from tests.chaos.doctored import COMMITTED, LETTER, PLACE, found, ledger_row, partition, post, spoiled, world

Spoil = Callable[[Partition], Partition]


def log_without(part: Partition, offset: int) -> Log:
    assert part.log is not None
    return Log(0, 5, tuple(record for record in part.log.records if record.offset != offset))


def log_with(part: Partition, offset: int, **fields: Any) -> Log:
    assert part.log is not None
    return Log(0, 5, tuple(r._replace(**fields) if r.offset == offset else r for r in part.log.records))


def row(part: Partition, at: int, **columns: Any) -> Partition:
    """The partition with an audit row changed."""
    return spoiled(part, audit=[r._replace(**columns) if n == at else r for n, r in enumerate(part.audit)])


def counted(part: Partition, **counts: int) -> Partition:
    """The partition with other counts in its ledger row."""
    (line,) = part.ledger
    return spoiled(part, ledger=[line._replace(counts={**line.counts, **counts})])


def shed_row(part: Partition, detail: str, **columns: Any) -> Partition:
    """The alert was shed instead."""
    assert part.log is not None
    line = ledger_row(0, 5, shed=1, logged=1, ignored=1, unhandled=1, rejected=1)
    letter = doctored.letter(0, part.log.records[0], id=UUID(int=9), stage="match", reason="shed", detail=detail)
    changed = row(part, 0, disposition="shed", alert_id=None, **columns)
    sli = {"ingestor": (3, 4), "audit": (5, 5)}
    return spoiled(changed, alerts=[], ledger=[line], letters=[letter, *part.letters], sli=sli)


CASES: dict[str, tuple[Spoil, str]] = {
    "acknowledged beyond the place": (
        lambda part: spoiled(part, standing=Standing(0, 4, None)),
        "lost ledger stuck",
    ),
    "acknowledged, in no range": (
        lambda part: spoiled(part, ledger=[part.ledger[0]._replace(first=1)]),
        "lost ledger counters decision",
    ),
    "acknowledged, not on the topic": (lambda part: spoiled(part, log=log_without(part, 2)), "lost"),
    "acknowledged, other bytes on the topic": (
        lambda part: spoiled(part, log=log_with(part, 2, value=b"x")),
        "lost decision",
    ),
    "booked as missing, but it is there": (
        lambda part: spoiled(counted(part, ignored=0, missing=1), sli={"ingestor": (3, 4), "audit": (4, 5)}),
        "lost",
    ),
    "the log was replaced": (
        lambda part: spoiled(part, sent=[], ledger=[part.ledger[0]._replace(sha256=b"x" * 32)]),
        "lost",
    ),
    "a hole between ranges": (
        lambda part: spoiled(
            part, ledger=[ledger_row(0, 2, alerted=1, logged=1), ledger_row(3, 5, unhandled=1, rejected=1)]
        ),
        "ledger counters lost",
    ),
    "an overlap of ranges": (
        lambda part: spoiled(
            part,
            ledger=[
                ledger_row(0, 3, alerted=1, logged=1, ignored=1),
                ledger_row(2, 5, ignored=1, unhandled=1, rejected=1),
            ],
        ),
        "ledger counters",
    ),
    "counts that do not add up": (lambda part: counted(part, ignored=2), "ledger counters decision"),
    "an audit row is gone": (lambda part: spoiled(part, audit=part.audit[:1]), "ledger decision"),
    "a letter is gone": (lambda part: spoiled(part, letters=[]), "ledger blame decision"),
    "an alert is gone": (lambda part: spoiled(part, alerts=[]), "ledger alert_lost ghost"),
    "a row beyond every range": (
        lambda part: spoiled(part, audit=[*part.audit, part.audit[1]._replace(offset=7)]),
        "ledger",
    ),
    "the ledger ends before the place": (
        lambda part: spoiled(part, standing=Standing(0, 6, None)),
        "ledger progress",
    ),
    "halted": (lambda part: spoiled(part, standing=Standing(0, 5, "a defect")), "stuck"),
    "halted by a second row": (
        lambda part: spoiled(part, standing=Standing(0, 5, "duplicate key value violates audit_pkey")),
        "twice stuck",
    ),
    "the log goes on": (
        lambda part: spoiled(part, log=Log(0, 6, (*part.log.records, part.log.records[0]._replace(offset=5)))),  # type: ignore[union-attr]
        "stuck",
    ),
    "an audit row twice": (
        lambda part: spoiled(part, audit=[part.audit[0], part.audit[1], part.audit[1]]),
        "twice ledger",
    ),
    "a letter twice": (
        lambda part: spoiled(part, letters=[part.letters[0], part.letters[0]._replace(id=UUID(int=5))]),
        "twice ledger",
    ),
    "an audit row and a letter": (
        lambda part: spoiled(part, letters=[*part.letters, part.letters[0]._replace(offset=1, at=part.audit[1].at)]),
        "twice ledger bytes blame",
    ),
    "the indicator is off": (lambda part: spoiled(part, sli={"ingestor": (3, 4), "audit": (5, 5)}), "counters"),
    "the audit indicator is off": (lambda part: spoiled(part, sli={"ingestor": (4, 4), "audit": (4, 5)}), "counters"),
    "an alert without its audit row": (lambda part: row(part, 0, alert_id=None), "ghost alert_lost"),
    "an audit row names an alert that is not there": (
        lambda part: row(part, 0, alert_id=UUID(int=77)),
        "ghost alert_lost",
    ),
    "one decision, two alerts": (
        lambda part: spoiled(part, alerts=[*part.alerts, part.alerts[0]._replace(id=UUID(int=77))]),
        "two_ids twice ledger ghost alert_lost",
    ),
    "committed out of order": (lambda part: row(part, 1, committed=COMMITTED - 1, xid=699), "order"),
    "a transaction around another": (
        lambda part: spoiled(
            part, audit=[part.audit[0], part.audit[1]._replace(xid=9), part.audit[1]._replace(offset=2)]
        ),
        "zombie ledger decision bytes",
    ),
    "a letter's header is gone": (
        lambda part: spoiled(part, letters=[part.letters[0]._replace(headers=((b"trace", b"1"),))]),
        "bytes",
    ),
    "an audit row keeps other bytes": (
        lambda part: row(part, 1, raw=doctored.event("config saved.")),
        "bytes decision",
    ),
    "a letter for another reason": (
        lambda part: spoiled(part, letters=[part.letters[0]._replace(reason="field")]),
        "blame",
    ),
    "a letter of a good record": (
        lambda part: spoiled(part, sent=[one._replace(expect=None) for one in part.sent]),
        "blame",
    ),
    "our own failure": (
        lambda part: spoiled(
            part, letters=[part.letters[0]._replace(reason="internal_error", stage="match")], sent=[],
            sli={"ingestor": (4, 5), "audit": (5, 5)},
        ),
        "blame",
    ),
    "shed below the threshold": (
        lambda part: shed_row(part, "1 alerts waited: severity 3 to 7 is shed, this is 4"),
        "shed ghost",
    ),
    "shed one too severe": (
        lambda part: shed_row(part, "2000 alerts waited: severity 4 to 7 is shed, this is 4"),
        "shed ghost",
    ),
    "shed and no letter": (lambda part: row(part, 0, disposition="shed"), "shed"),
    "another rule": (lambda part: row(part, 1, rule_id=3), "decision"),
    "another version of the rule": (lambda part: row(part, 1, rule_version=2), "decision"),
    "another handling": (lambda part: row(part, 1, handling="Email_only"), "decision"),
    "another team": (lambda part: row(part, 1, team="dba"), "decision"),
    "another message": (lambda part: row(part, 1, message="config saves"), "decision"),
    "another severity of the alert": (
        lambda part: spoiled(part, alerts=[part.alerts[0]._replace(severity=5)]),
        "decision",
    ),
    "one batch, two versions": (lambda part: row(part, 1, ruleset_version=3), "decision"),
    "a count of the ledger under another fate": (lambda part: counted(part, ignored=2, unhandled=0), "decision"),
    "a rejected record that is an event": (
        lambda part: spoiled(counted(part, rejected=0, ignored=2), letters=[], sent=[]),
        "decision counters",
    ),
}  # fmt: skip


def test_a_clean_world_is_clean() -> None:
    out = found(partition())
    assert out.anomalies == []
    assert {name for name, count in out.looked.items() if count} >= {
        "lost", "ledger", "twice", "counters", "ghost", "alert_lost", "two_ids", "order", "decision", "bytes", "blame",
    }  # fmt: skip
    assert out.looked["decisions without a row"] == 2


@pytest.mark.parametrize(("spoil", "detectors"), CASES.values(), ids=CASES)
def test_each_fault_is_noticed(spoil: Spoil, detectors: str) -> None:
    """By the first detector named; the others may speak as well, and no other."""
    first, *others = detectors.split()
    out = found(spoil(partition()))
    assert first in out.found, out.anomalies
    assert set(out.found) <= {first, *others}, out.anomalies


def test_a_shed_event_whose_letter_says_why_is_well() -> None:
    detail = "1999 alerts waited: severity 4 to 7 is shed, this is 4"
    part = shed_row(partition(), detail)
    known = world()
    known.waited = [(COMMITTED - 60_000_000, None, UUID(int=n)) for n in range(1999)]
    configured = doctored.changes()
    configured.append(
        doctored.Change(
            9, 109, 9_000, "CREATE", "dynamic_config", "alerter_queue_shed_threshold", None, {"value": "1000"}
        )
    )
    part = spoiled(part, audit=[r._replace(ruleset_version=6) for r in part.audit],
                   ledger=[line._replace(version=6) for line in part.ledger])  # fmt: skip
    out = found(part, known, history=doctored.History(configured, version=6))
    assert out.anomalies == []


def test_a_decision_is_wrong_only_if_no_reading_of_the_history_explains_it() -> None:
    """Version 4 may have stood for two or for three rules: the rows say which."""
    history = doctored.History(doctored.changes(), version=5)
    assert found(partition(), history=history).anomalies == []
    out = found(row(partition(), 1, rule_id=3), history=history)
    assert {anomaly.where for anomaly in out.anomalies} == {"mutt.ingest.syslog:3:1"}


def test_a_letter_that_counts_more_alerts_than_there_were_is_noticed() -> None:
    part = shed_row(partition(), "4000 alerts waited: severity 3 to 7 is shed, this is 4")
    out = found(part, world())
    assert [anomaly.detail for anomaly in out.anomalies] == ["its letter says 4000 alerts waited; at most 0 did"]


@pytest.mark.parametrize(("most", "detectors"), [(1, set()), (0, {"cap"})])
def test_the_backlog_is_worked_out_from_the_alerts(most: int, detectors: set[str]) -> None:
    assert set(found(partition(), backlog=most).found) == detectors


def test_a_halt_that_the_plan_made_is_none() -> None:
    part = spoiled(partition(), standing=Standing(0, 5, "the log was replaced"), halt_expected=True)
    assert found(part).anomalies == []


MOVED = [Move(0, 0, 0, 5, 700, 1)]
MOVES: dict[str, tuple[list[Move], set[str]]] = {
    "nothing was recorded": ([], set()),
    "one move over all": (MOVED, set()),
    "recorded from later on": ([Move(0, 0, 2, 5, 701, 1)], set()),
    "moves of two owners": ([Move(0, 0, 0, 2, 700, 1), Move(0, 0, 2, 5, 701, 2)], set()),
    "a reset": ([*MOVED, Move(0, 1, 5, 2, 702, 1), Move(1, 1, 2, 5, 703, 1)], set()),
    "moved by nobody": ([Move(0, 0, 0, 4, 700, 1)], {"progress"}),
    "it fell": ([*MOVED, Move(0, 0, 5, 3, 701, 2)], {"progress"}),
    "it jumped": ([Move(0, 0, 0, 2, 700, 2), Move(0, 0, 3, 5, 701, 2)], {"progress"}),
    "written without a move": ([Move(0, 0, 0, 1, 700, 1), Move(0, 0, 1, 5, 701, 2)], {"zombie"}),
    "written by a stranger": ([Move(0, 0, 0, 5, 699, 1)], {"zombie"}),
}


@pytest.mark.parametrize(("moves", "detectors"), MOVES.values(), ids=MOVES)
def test_recorded_moves_are_judged(moves: list[Move], detectors: set[str]) -> None:
    out = Findings()
    check_moves(spoiled(partition(), moves=moves), out)
    assert set(out.found) == detectors


def test_offsets_of_a_replaced_log_are_used_again() -> None:
    """A reset that says so separates the rows of the old log from those of the new one."""
    old = partition()
    since = old.audit[0].at + 100_000
    again = [
        r._replace(at=r.at + 200_000, alert_id=None, disposition="logged", rule_id=2, xid=800) for r in old.audit[1:]
    ]
    line = old.ledger[0]._replace(
        epoch=1, first=1, after=2, counts=ledger_row(1, 2, logged=1).counts, audited=1, alerts=0
    )
    part = spoiled(
        old, standing=Standing(1, 2, None), epochs=(Epoch(0, None, since), Epoch(1, since, None)),
        ledger=[*old.ledger, line._replace(sha256=None)], audit=[*old.audit, *again], log=None, sent=[], acked=(1,),
        sli={"ingestor": (5, 5), "audit": (6, 6)},
    )  # fmt: skip
    assert found(part).anomalies == []


@pytest.mark.parametrize(("committed", "detectors"), [(5, set()), (6, {"progress"})])
def test_kafka_is_never_ahead(committed: int, detectors: set[str]) -> None:
    out = Findings()
    kafka_behind({PLACE: committed}, {PLACE: 5}, out)
    assert set(out.found) == detectors


@pytest.mark.parametrize(
    ("there", "unknown", "detectors"), [(0, 0, set()), (1, 0, {"lost"}), (1, 1, set()), (2, 1, {"lost"})]
)
def test_what_failed_lies_nowhere(there: int, unknown: int, detectors: set[str]) -> None:
    out = Findings()
    failed_are_not_there({b"a": 1}, {}, {b"a": there}, {b"a": unknown}, out)
    assert set(out.found) == detectors


def test_a_record_without_an_answer_is_judged_where_it_lies() -> None:
    part = partition()
    known = world(post())
    known.unknown = {part.sent[4].digest: (1, None)}
    part = spoiled(part, sent=part.sent[:4])
    out = found(part, known)
    assert [anomaly.detector for anomaly in out.anomalies] == ["blame"]
    assert LETTER in known.bodies
