"""Detectors over the topics that mutt writes, the receiver's log and replays: each fault turns its own on."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from tests.chaos import doctored
from tests.chaos.checker.delivery import ALERTS, AlertsTopic, check_posts
from tests.chaos.checker.evidence import AlertFact, Findings, Partition, Post, Record, World, digest
from tests.chaos.checker.letters import DLQ, check_replays, final
from tests.chaos.doctored import ALERT, COMMITTED, LETTER, PLACE, found, partition, post, published, spoiled, world

Topics = dict[str, tuple[Record, ...]]
SECOND = UUID(int=21)


def two_alerts() -> Partition:
    """Offsets 0 and 5 of one host raised alerts."""
    part = partition()
    assert part.log is not None
    record = part.log.records[0]._replace(offset=5)
    payload = part.alerts[0].payload.replace(str(ALERT).encode(), str(SECOND).encode())
    again = part.alerts[0]._replace(id=SECOND, offset=5, payload=payload)
    row = part.audit[0]._replace(offset=5, alert_id=SECOND, xid=701)
    line = doctored.ledger_row(5, 6, alerted=1)
    return spoiled(
        part, alerts=[*part.alerts, again], audit=[*part.audit, row], ledger=[*part.ledger, line],
        standing=doctored.Standing(0, 6, None), log=doctored.Log(0, 6, (*part.log.records, record)), sent=[],
        sli={"ingestor": (5, 5), "audit": (6, 6)},
    )  # fmt: skip


def second(**columns: Any) -> Post:
    """The receiver took the second alert, after the first."""
    values: dict[str, Any] = {"id": str(SECOND), "came": COMMITTED + 7_000, "at": COMMITTED + 8_000, "sha256": "bb"}
    return post(**(values | columns))


POSTS: dict[str, tuple[list[Post], str]] = {
    "posted before the commit": ([post(came=COMMITTED - 1), second()], "ghost"),
    "posted, and nothing explains it": ([post(), second(), post(id=str(UUID(int=99)), sha256="cc")], "ghost"),
    "posted under a new id": ([post(status=503), post(id=str(UUID(int=99))), second(), post()], "two_ids ghost"),
    "one id, two bodies": ([post(status=503), post(sha256="cc"), second()], "two_ids"),
    "never posted": ([post()], "alert_lost"),
    "only refused, yet marked delivered": ([post(), second(status=503)], "alert_lost"),
    "overtaken": ([post(status=503), second(), post(came=COMMITTED + 9_000, at=COMMITTED + 9_500)], "order"),
}


def test_every_alert_taken_once_and_in_order_is_well() -> None:
    repeated = [post(status=500), post(), post(), second(status=401), second()]
    assert found(two_alerts(), world(*repeated)).anomalies == []


def test_a_post_that_was_damaged_on_its_way_is_not_ours() -> None:
    """Seed 2026: bits of a body were flipped; the receiver refused it, and took the same alert as it was signed."""
    damaged = [post(status=401, sha256="cc"), post(), post(id=str(UUID(int=99)), status=401), second()]
    assert found(two_alerts(), world(*damaged)).anomalies == []


@pytest.mark.parametrize(("posts", "detectors"), POSTS.values(), ids=POSTS)
def test_each_fault_in_the_receivers_log_is_noticed(posts: list[Post], detectors: str) -> None:
    first, *others = detectors.split()
    out = found(two_alerts(), world(*posts))
    assert first in out.found, out.anomalies
    assert set(out.found) <= {first, *others}, out.anomalies


def test_an_alert_that_waits_though_all_is_quiet_is_noticed() -> None:
    part = partition()
    out = found(spoiled(part, alerts=[part.alerts[0]._replace(state="pending")]))
    assert set(out.found) == {"alert_lost"}


# -- dead alerts ------------------------------------------------------------------------------------------------


def dead_world(status: int, **letter: Any) -> tuple[Partition, World]:
    """The alert is dead, its letter says that the receiver refused it; it answered `status`."""
    part = partition()
    known = world(post(status=status))
    record = Record(0, COMMITTED // 1000, b"h1", part.alerts[0].payload)
    values: dict[str, Any] = {"id": UUID(int=31), "stage": "deliver", "reason": "delivery", "topic": ALERTS,
                              "partition": 0, "alert_id": ALERT}  # fmt: skip
    known.others = [doctored.letter(0, record, **(values | letter))]
    return spoiled(part, alerts=[part.alerts[0]._replace(state="dead")]), known


def with_letter(part: Partition, known: World) -> Topics:
    """The topics, with the letters of deliveries on mutt.dlq."""
    there = published(part)
    dead = tuple(
        Record(9 + n, COMMITTED // 1000, one.key, one.value, doctored.letter_headers(one))
        for n, one in enumerate(known.others)
    )
    return there | {DLQ: (*there[DLQ], *dead)}


def test_an_alert_that_the_receiver_refused_for_good_is_well() -> None:
    part, known = dead_world(422)
    assert found(part, known, topics=with_letter(part, known)).anomalies == []


@pytest.mark.parametrize("status", [401, 403, 408, 425, 429, 500, 503])
def test_a_letter_for_an_answer_that_is_retried_is_blamed(status: int) -> None:
    part, known = dead_world(status)
    assert set(found(part, known, topics=with_letter(part, known)).found) == {"blame"}
    assert not final(status)


def test_an_expiry_that_nobody_allowed_is_blamed() -> None:
    part, known = dead_world(503, reason="delivery_expired")
    assert set(found(part, known, topics=with_letter(part, known)).found) == {"blame"}
    part, known = dead_world(503, reason="delivery_expired")
    known.retry_max_age = True
    assert found(part, known, topics=with_letter(part, known)).anomalies == []


def test_a_dead_alert_without_a_letter_is_lost() -> None:
    part, known = dead_world(422)
    known.others = []
    assert set(found(part, known).found) == {"alert_lost"}


def test_an_alert_that_a_replay_sent_again_may_come_late() -> None:
    part = two_alerts()
    _, known = dead_world(422, replays=1, state="replayed")
    known.posts = [post(status=422), second(), post(came=COMMITTED + 9_000, at=COMMITTED + 9_500)]
    assert found(part, known, topics=with_letter(part, known)).anomalies == []


# -- mutt.alerts and mutt.dlq -----------------------------------------------------------------------------------


def payload_of(alert: UUID, offset: int) -> bytes:
    return b'{"id": "%s", "topic": "%s", "partition": 3, "offset": %d}' % (
        str(alert).encode(), PLACE[0].encode(), offset,
    )  # fmt: skip


def changed(topics: Topics, topic: str, change: Callable[[Record], Record]) -> Topics:
    return topics | {topic: tuple(change(record) for record in topics[topic])}


def added(topics: Topics, topic: str, record: Record) -> Topics:
    return topics | {topic: (*topics[topic], record)}


AT = COMMITTED // 1000 + 1
TOPICS: dict[str, tuple[Callable[[Topics], Topics], str]] = {
    "an alert never came": (lambda topics: topics | {ALERTS: ()}, "alert_lost"),
    "an alert differs from its row": (
        lambda topics: changed(topics, ALERTS, lambda r: r._replace(value=(r.value or b"") + b" ")),
        "two_ids",
    ),
    "an alert under a second id": (
        lambda topics: added(topics, ALERTS, Record(9, AT, b"h1", payload_of(UUID(int=88), 0))),
        "two_ids",
    ),
    "an alert nothing explains": (
        lambda topics: added(topics, ALERTS, Record(9, AT, b"h1", payload_of(UUID(int=88), 2))),
        "ghost",
    ),
    "no alert at all": (lambda topics: added(topics, ALERTS, Record(9, AT, None, b"x")), "ghost"),
    "published before the commit": (
        lambda topics: changed(topics, ALERTS, lambda r: r._replace(at=COMMITTED // 1000 - 20)),
        "ghost",
    ),
    "a letter never came": (lambda topics: topics | {DLQ: ()}, "bytes"),
    "a letter differs from its row": (
        lambda topics: changed(topics, DLQ, lambda r: r._replace(value=b"x")),
        "bytes",
    ),
    "a letter lost a repeated header": (
        lambda topics: changed(topics, DLQ, lambda r: r._replace(headers=r.headers[1:])),
        "bytes",
    ),
    "a letter twice with other bytes": (
        lambda topics: added(topics, DLQ, topics[DLQ][0]._replace(offset=9, value=b"x")),
        "two_ids bytes",
    ),
    "a letter nothing explains": (lambda topics: added(topics, DLQ, Record(9, AT, b"h1", b"x")), "ghost"),
    "a letter under a second id": (
        lambda topics: added(topics, DLQ, _renamed(topics[DLQ][0])),
        "two_ids",
    ),
}


def _renamed(record: Record) -> Record:
    headers = tuple((n, str(SECOND).encode() if n == b"mutt.dlq.id" else v) for n, v in record.headers)
    return record._replace(offset=9, headers=headers)


@pytest.mark.parametrize(("spoil", "detectors"), TOPICS.values(), ids=TOPICS)
def test_each_fault_on_a_topic_is_noticed(spoil: Callable[[Topics], Topics], detectors: str) -> None:
    first, *others = detectors.split()
    part = partition()
    out = found(part, topics=spoil(published(part)))
    assert first in out.found, out.anomalies
    assert set(out.found) <= {first, *others}, out.anomalies


def test_a_record_published_twice_with_the_same_bytes_is_well() -> None:
    part = partition()
    topics = published(part)
    twice = {name: (*records, *(r._replace(offset=9) for r in records)) for name, records in topics.items()}
    assert found(part, topics=twice).anomalies == []


def test_alerts_of_one_host_out_of_order_on_the_topic_are_noticed() -> None:
    part = two_alerts()
    topics = published(part)
    out = found(part, world(post(), second()), topics=topics | {ALERTS: topics[ALERTS][::-1]})
    assert set(out.found) == {"order"}


@pytest.mark.parametrize(("epoch", "wrong"), [(0, {"order"}), (1, set())])
def test_offsets_of_another_log_begin_anew(epoch: int, wrong: set[str]) -> None:
    """What comes after a reset has lower offsets than what came before it."""
    known, out = world(), Findings()
    for alert, offset, of in ((ALERT, 5, 0), (SECOND, 0, epoch)):
        known.alerts[alert] = AlertFact((*PLACE, offset), "event", "h1", "delivered", b"", None, True, 1, of)
        known.alerts[alert] = known.alerts[alert]._replace(payload=digest(None, _named(alert)))
    topic = AlertsTopic(known, out)
    topic.take((ALERTS, 0), tuple(Record(at, 0, b"h1", _named(alert)) for at, alert in enumerate((ALERT, SECOND))))
    known.posts = [post(), second()]
    check_posts(known, out)
    assert set(out.found) == wrong


def _named(alert: UUID) -> bytes:
    return json.dumps({"id": str(alert)}).encode()


# -- replays ----------------------------------------------------------------------------------------------------

REPLAY = UUID(int=51)
JUDGED_MS = COMMITTED // 1000 + 60_000


def replayed_world(copies: list[tuple[str, int]], *, state: str = "replayed", effects: int = 1) -> World:
    """The letter was replayed and judged; `copies` of it lie on the topic."""
    known = World(replays=[(LETTER, REPLAY)], topics_read=True)
    known.letters[LETTER] = doctored.LetterFact((*PLACE, 4), "json", state, 1, REPLAY, JUDGED_MS * 1000)
    known.copies[LETTER] = copies
    known.effects[LETTER] = effects
    return known


ONCE = [("a:0:5", JUDGED_MS - 100)]


def unnamed_world(*, effects: int, state: str = "replayed") -> World:
    """A copy of the letter has a row that does not name it."""
    known = replayed_world(ONCE, state=state, effects=effects)
    known.unnamed[LETTER] = ["a:0:5"]
    return known


REPLAYS: dict[str, tuple[World, set[str]]] = {
    "judged, and named by no row": (unnamed_world(effects=0), {"replay"}),
    "a forged copy beside the one that was judged": (unnamed_world(effects=1), set()),
    "a forged copy before it was judged": (unnamed_world(effects=0, state="replaying"), set()),
    "once": (replayed_world(ONCE), set()),
    "ignored by its rule": (replayed_world(ONCE, effects=0), set()),
    "sent twice before it was judged": (replayed_world([*ONCE, ("a:0:6", JUDGED_MS - 50)]), set()),
    "sent again after it was judged": (replayed_world([*ONCE, ("a:0:6", JUDGED_MS + 9_000)]), {"replay"}),
    "judged twice": (replayed_world(ONCE, effects=2), {"replay"}),
    "replayed, but never sent": (replayed_world([]), {"replay"}),
    "in progress": (replayed_world([], state="replaying", effects=0), set()),
}


@pytest.mark.parametrize(("known", "detectors"), REPLAYS.values(), ids=REPLAYS)
def test_each_fault_of_a_replay_is_noticed(known: World, detectors: set[str]) -> None:
    out = doctored.Findings()
    check_replays(known, out)
    assert set(out.found) == detectors


def test_a_letter_taken_twice_by_one_replay_is_noticed() -> None:
    known = replayed_world(ONCE)
    known.replays *= 2
    out = doctored.Findings()
    check_replays(known, out)
    assert set(out.found) == {"replay"}


def test_a_row_that_names_a_letter_nobody_knows_is_noticed() -> None:
    known = World()
    known.effects[LETTER] = 1
    out = doctored.Findings()
    check_replays(known, out)
    assert set(out.found) == {"replay"}
