"""The dry run of a replay: what it counts, and what it shows."""

from __future__ import annotations

from schemas.dead_letters import Reason
from streams.core.matching import Knowledge
from streams.core.rehearsal import LISTED, Rehearsal
from streams.core.replay import LetterFilter, Refusal, ReplayPolicy, StoredLetter
from tests.builders import dead_letter, event_json, rule, rule_set

KNOWLEDGE = Knowledge.of(rule_set(rule(match_string="link down")))
ALL = LetterFilter(topics=("mutt.ingest.syslog",))


def rehearsal(limit: int | None = None) -> Rehearsal:
    return Rehearsal(KNOWLEDGE, ReplayPolicy(max_replays=3), limit)


def letter(message: str = "link down", *, replays: int = 0, reason: Reason = Reason.SHED) -> StoredLetter:
    return StoredLetter(letter=dead_letter(value=event_json(message=message), replays=replays, reason=reason))


def test_what_would_be_sent_is_counted_by_what_it_would_become() -> None:
    run = rehearsal()
    for message in ("link down", "link down", "else"):
        run.add(letter(message), ALL)
    shown = run.to_json()
    assert (shown["dry_run"], shown["would_send"]) == (True, 3)
    assert shown["would_become"] == {"alerted": 2, "unhandled": 1}
    assert [each["verdict"]["summary"] for each in shown["letters"]] == ["alerted", "alerted", "unhandled"]
    assert (shown["refused"], shown["refused_letters"]) == ({}, [])


def test_what_is_refused_is_counted_by_its_reason_and_told_why() -> None:
    run = rehearsal()
    run.add(letter(replays=3), ALL)
    run.add(letter(reason=Reason.TOMBSTONE), ALL)
    run.refuse({"id": "x"}, Refusal.UNKNOWN)
    shown = run.to_json()
    assert shown["would_send"] == 0
    assert shown["refused"] == {"too_often": 1, "never": 1, "unknown": 1}
    assert [each["refused"] for each in shown["refused_letters"]] == ["too_often", "never", "unknown"]
    assert shown["refused_letters"][2] == {"id": "x", "refused": "unknown", "why": Refusal.UNKNOWN.means}


def test_a_limit_holds_for_what_is_sent_and_not_for_what_is_refused() -> None:
    run = rehearsal(limit=1)
    for stored in (letter(replays=3), letter(), letter(), letter(replays=3)):
        run.add(stored, ALL)
    assert (run.would_send, run.refused[Refusal.TOO_OFTEN]) == (1, 2)


def test_what_a_resumed_replay_holds_already_is_sent_whatever_it_is() -> None:
    run = rehearsal()
    run.add(letter(replays=3), None)
    assert (run.would_send, run.refused.total()) == (1, 0)


def test_all_are_counted_and_some_are_shown() -> None:
    run = rehearsal()
    for _ in range(LISTED + 1):
        run.add(letter(), ALL)
        run.refuse({}, Refusal.UNKNOWN)
    shown = run.to_json()
    assert (shown["would_send"], shown["refused"]) == (LISTED + 1, {"unknown": LISTED + 1})
    assert (len(shown["letters"]), len(shown["refused_letters"])) == (LISTED, LISTED)


def test_what_no_topic_of_ours_takes_is_unknown() -> None:
    run = rehearsal()
    run.add(StoredLetter(letter=dead_letter(topic="orders")), None)
    assert run.to_json()["would_become"] == {"unknown": 1}
    assert run.letters[0]["verdict"] is None
