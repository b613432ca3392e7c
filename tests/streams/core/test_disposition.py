"""decide(): every record of a batch gets exactly one fate, with the rows that explain it."""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, structs

from schemas.config import DynamicConfig
from schemas.dead_letters import LetterState, Reason
from schemas.events import Disposition, Position, derived_id
from schemas.rows import ALERTS, AUDIT
from schemas.rules import AlertSeverity, Handling
from schemas.topics import RAW, SYSLOG, Topic
from streams.core.batches import CorruptBatch, OversizedBatch, PlainRecord, Record
from streams.core.disposition import decide
from streams.core.matching import Knowledge
from streams.core.signatures import SignatureBook
from streams.core.work import HALT_AFTER, Decided, Work, fingerprint
from tests.builders import event_json, rule, rule_set

NOW = dt.datetime(2026, 3, 1, 12, 0, 30, tzinfo=dt.UTC)
AT = 1_772_366_400_000
NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
"""The broker's time AT."""

RULES = (
    rule(id=1, match_string="link down"),
    rule(id=2, match_string="config saved", prod_handling=Handling.LOG_ONLY),
    rule(id=3, match_string="heartbeat", prod_handling=Handling.IGNORE),
)


def record(offset: int, value: bytes | None = None, *, key: bytes | None = b"h1", **fields: Any) -> PlainRecord:
    headers = fields.pop("headers", ())
    return PlainRecord(offset, AT, key, event_json(**fields) if value is None and fields else value, headers)


def decided(*records: Record, first: int = 0, after: int | None = None, config: DynamicConfig | None = None,
            topic: Topic = SYSLOG, **work: Any) -> Decided:  # fmt: skip
    knowledge = Knowledge.of(rule_set(*RULES, config=config or DynamicConfig(), development_hosts=frozenset({"lab1"})))
    return decide(
        Work(
            topic=topic, partition=3, first=first, after=records[-1].offset + 1 if after is None else after,
            records=records, knowledge=knowledge, book=work.pop("book", SignatureBook()), now=NOW, **work,
        )
    )  # fmt: skip


def audit(out: Decided, at: int = 0) -> dict[str, Any]:
    return dict(zip(AUDIT, out.audit[at], strict=True))


def test_one_fate_each() -> None:
    out = decided(
        record(0, message="link down on Gi0/1"),
        record(1, message="config saved by admin"),
        record(2, message="heartbeat"),
        record(3, message="something else"),
        record(4, b"{not json"),
    )
    assert {name.value: number for name, number in out.counts.items() if number} == {
        "alerted": 1, "logged": 1, "ignored": 1, "unhandled": 1, "rejected": 1,
    }  # fmt: skip
    assert [row[2] for row in out.audit] == [0, 1]
    assert [(letter.offset, letter.reason) for letter in out.letters] == [(4, Reason.JSON)]
    assert (out.good, out.our_failures) == (4, 0)


def test_each_fate_is_counted_as_often_as_it_comes() -> None:
    texts = ("link down", "config saved", "heartbeat", "else")
    out = decided(*(record(at, message=texts[at // 3]) for at in range(12)), record(12, b"{"), record(13, b"{"))
    assert sorted((name.value, number) for name, number in out.counts.items() if number) == [
        ("alerted", 3), ("ignored", 3), ("logged", 3), ("rejected", 2), ("unhandled", 3),
    ]  # fmt: skip
    assert [audit(out, at)["disposition"] for at in range(6)] == ["alerted"] * 3 + ["logged"] * 3


def test_an_alert_is_explained_by_the_audit_row_that_names_it() -> None:
    out = decided(record(7, message="LINK DOWN", trap_oid="1.3.6.1"), first=7)
    (alert,) = out.alerts
    row = audit(out)
    assert alert.ruleset_version == 1
    assert dict(zip(ALERTS, out.alert_rows[0], strict=True))["broker_time"] == row["broker_time"] == NOON
    assert row["alert_id"] == alert.id == derived_id("alert", Position("mutt.ingest.syslog", 3, 7, AT))
    assert (row["rule_id"], row["rule_version"], row["ruleset_version"]) == (1, 1, 1)
    assert (row["disposition"], row["handling"], row["team"]) == ("alerted", "Page_and_ticket", "netops")
    assert alert.signature == "h1::1::1.3.6.1"
    assert orjson.loads(out.alert_rows[0][-1])["event"]["message"] == "LINK DOWN"


def test_a_development_host_uses_its_own_handling() -> None:
    out = decided(record(0, message="link down", hostname="lab1", key=b"lab1"))
    assert (out.counts[Disposition.LOGGED], out.alerts) == (1, [])


def test_unhandled_events_get_a_row_when_configured() -> None:
    assert decided(record(0, message="what")).audit == []
    out = decided(record(0, message="what"), config=DynamicConfig(audit_unhandled_events=True))
    row = audit(out)
    assert row["disposition"] == "unhandled"
    assert (row["rule_id"], row["rule_version"], row["handling"], row["alert_id"]) == (None, None, None, None)


TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize(
    ("headers", "carried"),
    [
        ((("traceparent", TRACE), ("tracestate", b"x=1")), True),
        ((), False),
        ((("traceparent", None),), False),
        ((("traceparent", TRACE[:-1] + b"\xff"),), False),
        ((("traceparent", TRACE), ("traceparent", TRACE)), False),
    ],
)
def test_an_alert_carries_the_trace_of_its_record(headers: Any, carried: bool) -> None:
    """Also a meta-alert that of the record with which its storm crossed the threshold."""
    storm = [record(n, message=f"eth{n} flaps", headers=headers) for n in range(1, 6)]
    config = DynamicConfig(unhandled_threshold=5)
    out = decided(record(0, message="link down", headers=headers), *storm, config=config)
    assert [alert.traceparent for alert in out.alerts] == [TRACE.decode() if carried else UNSET] * 2
    assert all((b'"traceparent":' in row[-1].encode()) is carried for row in out.alert_rows)


def test_a_storm_of_one_kind_raises_one_meta_alert_explained_by_its_row() -> None:
    config = DynamicConfig(unhandled_threshold=3)
    out = decided(*(record(at, message=f"session {at} odd") for at in range(5)), config=config)
    (alert,) = out.alerts
    assert out.counts[Disposition.UNHANDLED] == 5
    assert (audit(out)["offset"], audit(out)["alert_id"]) == (2, alert.id)
    assert alert.rule_id is None
    assert "3 events" in alert.description


def test_a_meta_alert_says_whose_storm_it_is_and_since_when() -> None:
    config = DynamicConfig(unhandled_threshold=2, unhandled_expiry_seconds=7200, unhandled_default_team="desk")
    storm = [record(at, message="odd", timestamp="not a time" if at else "2026-03-01T11:59:00Z") for at in range(2)]
    (alert,) = decided(*storm, config=config).alerts
    assert (alert.hostname, alert.team, alert.ruleset_version) == ("h1", "desk", 1)
    assert alert.occurred_at == "2026-03-01T12:00:00Z", "the broker's, where the event has none"
    assert "7200" in alert.description
    (alert,) = decided(*reversed_times(storm), config=config).alerts
    assert alert.occurred_at == "2026-03-01T11:59:00Z"


def reversed_times(records: list[PlainRecord]) -> list[PlainRecord]:
    """The same values the other way round, at their offsets."""
    return [structs.replace(one, value=other.value) for one, other in zip(records, reversed(records), strict=True)]


def test_kinds_and_hosts_do_not_add_up_to_one_storm() -> None:
    config = DynamicConfig(unhandled_threshold=3)
    kinds = [record(at, message=("odd", "other")[at % 2]) for at in range(4)]
    hosts = [record(at, message="odd", hostname=f"h{'ab'[at % 2]}") for at in range(4)]
    assert (decided(*kinds, config=config).alerts, decided(*hosts, config=config).alerts) == ([], [])
    assert {seen.hostname for seen in decided(*hosts, config=config).signatures.changed.values()} == {"ha", "hb"}


def test_events_further_apart_than_the_window_are_no_storm() -> None:
    def raised(window_s: int) -> int:
        apart = [structs.replace(record(at, message="odd"), timestamp=AT + at * 90_000) for at in range(3)]
        config = DynamicConfig(unhandled_threshold=3, unhandled_expiry_seconds=window_s)
        return len(decided(*apart, config=config).alerts)

    assert (raised(60), raised(180)) == (0, 1)


LETTER = uuid.UUID(int=7)
REPLAY = (("mutt.dlq.id", str(LETTER).encode()),)
NOT_REPLAYED = {LETTER: LetterState.OPEN}
"""A record that names a known letter is read alone, also where that is not replayed."""
MESSAGES = st.sampled_from(["link down 7", "config saved", "heartbeat", "odd 1", "odd 2"])


@given(st.lists(MESSAGES, min_size=1, max_size=12), st.sampled_from([b"h1", b"other", None]))
def test_plain_records_read_together_get_the_fate_that_each_gets_alone(messages: list[str], key: bytes | None) -> None:
    config = DynamicConfig(unhandled_threshold=2, audit_unhandled_events=True)
    plain = [record(at, message=message, key=key) for at, message in enumerate(messages)]
    alone = [record(at, message=message, key=key, headers=REPLAY) for at, message in enumerate(messages)]
    one, other = decided(*plain, config=config), decided(*alone, config=config, replays=NOT_REPLAYED)
    assert (one.audit, one.alert_rows, one.counts) == (other.audit, other.alert_rows, other.counts)
    assert one.signatures.changed == other.signatures.changed


LINES = st.sampled_from([
    b"<34>1 2026-03-01T12:00:00Z core-1 sshd 7 - - link down 7", b"<34>1 - - app - - [a b=\"c\"] odd 1",
    b"<189>Mar  1 12:00:00 core-2 config saved", b"<189>Mar  1 12:00:00.1 UTC: %LINK-3-UPDOWN: odd 2", b"no header",
    b"<34>1 2026-03-01T12:00:00Z h a - - - odd\nlink down", b"caf\xe9 odd", b"odd\0 5", b"<34>", b" ", b"\0\0",
])  # fmt: skip


@given(st.lists(LINES, min_size=1, max_size=12), st.sampled_from([b"core-1", b"other", None]))
def test_lines_read_together_get_the_fate_that_each_gets_alone(lines: list[bytes], key: bytes | None) -> None:
    config = DynamicConfig(unhandled_threshold=2, audit_unhandled_events=True)
    together = [record(at, line, key=key) for at, line in enumerate(lines)]
    alone = [record(at, line, key=key, headers=REPLAY) for at, line in enumerate(lines)]
    one = decided(*together, topic=RAW, config=config)
    other = decided(*alone, topic=RAW, config=config, replays=NOT_REPLAYED)
    assert (one.audit, one.alert_rows, one.counts) == (other.audit, other.alert_rows, other.counts)
    assert one.signatures.changed == other.signatures.changed
    reasons = [[(letter.offset, letter.reason, letter.detail) for letter in out.letters] for out in (one, other)]
    assert reasons[0] == reasons[1]


VALUES = st.sampled_from([
    event_json(message="link down"), event_json(message="odd 1"), event_json(message="überall odd 2"),
    event_json(message="two\nlines"), event_json(message="a \\ b", hostname="-"), event_json(message="\0"),
    event_json(syslog_severity=9), b"{", b"", b"[]",
])  # fmt: skip


@given(st.lists(VALUES, min_size=1, max_size=12), st.sampled_from([b"h1", b"other", None]))
def test_records_of_which_some_are_not_plain_get_the_fate_that_each_gets_alone(
    values: list[bytes], key: bytes | None
) -> None:
    config = DynamicConfig(unhandled_threshold=2, audit_unhandled_events=True)
    one = decided(*(record(at, value, key=key) for at, value in enumerate(values)), config=config)
    alone = [record(at, value, key=key, headers=REPLAY) for at, value in enumerate(values)]
    other = decided(*alone, config=config, replays=NOT_REPLAYED)
    assert (one.audit, one.alert_rows, one.counts) == (other.audit, other.alert_rows, other.counts)
    assert one.signatures.changed == other.signatures.changed
    reasons = [[(letter.offset, letter.reason, letter.detail) for letter in out.letters] for out in (one, other)]
    assert reasons[0] == reasons[1]


def test_an_oversized_batch_among_lines_is_no_line() -> None:
    out = decided(OversizedBatch(0, 4, AT, b"<34>packed"), record(5, b"link down"), topic=RAW)
    assert (out.counts[Disposition.REJECTED], out.counts[Disposition.ALERTED]) == (5, 1)


def test_a_corrupt_batch_is_never_decided_over() -> None:
    with pytest.raises(ValueError, match="corrupt"):
        decided(CorruptBatch(0, AT, "its CRC is wrong"))


def test_a_range_without_any_record_is_all_missing_and_has_no_last_one() -> None:
    out = decided(first=5, after=9)
    assert (out.missing, out.last_sha256, sum(out.counts.values())) == (4, None, 0)


def test_offsets_without_a_record_are_missing() -> None:
    out = decided(record(12, message="heartbeat"), record(15, message="heartbeat"), first=10, after=16)
    assert out.missing == 4
    assert sum(out.counts.values()) + out.missing == 6


def test_K14_an_oversized_batch_rejects_all_its_offsets_with_one_letter() -> None:
    out = decided(OversizedBatch(5, 9, AT, b"packed"), record(10, message="heartbeat"), first=5)
    assert (out.counts[Disposition.REJECTED], out.counts[Disposition.IGNORED], out.missing) == (5, 1, 0)
    (letter,) = out.letters
    assert (letter.reason, letter.value, letter.offset) == (Reason.TOO_LARGE, b"packed", 9)


def test_a_letter_says_where_its_record_lay_and_when_it_failed() -> None:
    (letter,) = decided(record(7, b"{"), first=7).letters
    assert (letter.topic, letter.partition, letter.offset, letter.timestamp) == ("mutt.ingest.syslog", 3, 7, AT)
    assert letter.id == derived_id("letter", Position("mutt.ingest.syslog", 3, 7, AT))
    assert letter.first_failed_at == letter.last_failed_at == NOW


def test_a_letter_is_byte_equal_to_what_was_sent() -> None:
    headers = (("a", b"1"), ("a", None), ("b\udcff", b"\xff"))
    out = decided(record(0, b"\xff\xfe", key=b"\x00k", headers=headers))
    (letter,) = out.letters
    assert (letter.key, letter.value) == (b"\x00k", b"\xff\xfe")
    assert letter.headers == ((b"a", b"1"), (b"a", None), (b"b\xff", b"\xff"))


def test_a_row_the_database_refused_becomes_a_letter_and_the_rest_stays() -> None:
    out = decided(record(0, message="link down"), record(1, message="link down"), refused={0: "value out of range"})
    assert [(letter.offset, letter.reason) for letter in out.letters] == [(0, Reason.DATABASE_VALUE)]
    assert [alert.offset for alert in out.alerts] == [1]
    assert out.our_failures == 1


class _Defect:
    """Knowledge whose judging fails on every record."""

    rule_set = rule_set(*RULES)

    def judge_all(self, events: object) -> None:
        raise ZeroDivisionError("judging")

    judge = judge_all


def defective(count: int, before: int = 0) -> Decided:
    records = [record(at, message="m") for at in range(count)]
    knowledge: Any = _Defect()
    return decide(
        Work(topic=SYSLOG, partition=0, first=0, after=count, records=records, knowledge=knowledge,
             book=SignatureBook(), now=NOW, failed_before=before)
    )  # fmt: skip


def test_I7_our_own_defect_is_a_letter_and_many_in_a_row_halt() -> None:
    few, many = defective(HALT_AFTER - 1), defective(HALT_AFTER)
    assert {letter.reason for letter in few.letters} == {Reason.INTERNAL_ERROR}
    assert (few.halt, few.failed_in_a_row) == (None, HALT_AFTER - 1)
    assert many.halt is not None
    assert "ZeroDivisionError: judging" in many.halt


def test_I7_a_halt_leaves_what_comes_after_undecided() -> None:
    out = defective(100)
    assert (len(out.letters), out.work.after, out.missing) == (HALT_AFTER, HALT_AFTER, 0)
    assert [one.offset for one in out.work.records] == list(range(HALT_AFTER))
    assert out.last_sha256 == fingerprint(out.work.records[-1])
    assert sum(out.counts.values()) == HALT_AFTER


def test_I7_the_row_goes_on_from_batch_to_batch() -> None:
    assert defective(5, before=HALT_AFTER - 5).halt is not None
    assert defective(5, before=HALT_AFTER - 6).halt is None


def test_I7_bad_data_never_halts_and_one_good_record_ends_the_row() -> None:
    rejected = decided(*(record(at, b"{no json") for at in range(100)), failed_before=HALT_AFTER - 1)
    assert (rejected.halt, rejected.failed_in_a_row) == (None, 0)
    alone = decided(record(0, b"{no json", headers=REPLAY), replays=NOT_REPLAYED, failed_before=HALT_AFTER - 1)
    assert (alone.halt, alone.failed_in_a_row) == (None, 0)
    assert decided(record(0, message="heartbeat"), failed_before=HALT_AFTER - 1).failed_in_a_row == 0


PRESSURE = DynamicConfig(alerter_queue_warn_threshold=5, alerter_queue_shed_threshold=10, alerter_queue_hard_limit=100)


def test_a_replayed_record_is_judged_and_names_its_letter() -> None:
    out = decided(record(0, message="link down", headers=REPLAY), replays={LETTER: LetterState.REPLAYING})
    assert audit(out)["replay_of"] == LETTER
    assert out.replayed == [LETTER]


@pytest.mark.parametrize(
    ("message", "fate"),
    [("link down", "shed"), ("config saved", "logged"), ("odd", "unhandled")],
)
def test_whatever_becomes_of_a_replayed_record_its_row_names_the_letter(message: str, fate: str) -> None:
    again = record(0, message=message, syslog_severity=7, headers=REPLAY)
    out = decided(again, replays={LETTER: LetterState.REPLAYING}, config=PRESSURE, depth=50)
    assert (audit(out)["disposition"], audit(out)["replay_of"], out.replayed) == (fate, LETTER, [LETTER])


def test_a_second_copy_of_a_replayed_letter_is_ignored() -> None:
    out = decided(record(0, message="link down", headers=REPLAY), replays={LETTER: LetterState.REPLAYED})
    assert (out.counts[Disposition.IGNORED], out.audit, out.alerts, out.replayed) == (1, [], [], [])


def test_two_copies_in_one_batch_count_once() -> None:
    copies = [record(at, message="link down", headers=REPLAY) for at in (0, 1, 2)]
    out = decided(*copies, replays={LETTER: LetterState.REPLAYING})
    assert (len(out.alerts), out.counts[Disposition.IGNORED], out.replayed) == (1, 2, [LETTER])


@pytest.mark.parametrize(
    "headers",
    [
        (("mutt.dlq.id", b"not a uuid"),),
        (("mutt.dlq.id", None),),
        (("mutt.dlq.id", str(uuid.UUID(int=99)).encode()),),
        (("mutt.dlq.reason", b"shed"), ("traceparent", b"x" * 10_000)),
    ],
)
def test_H3_a_forged_header_means_nothing(headers: tuple[tuple[str, bytes | None], ...]) -> None:
    out = decided(record(0, message="link down", headers=headers), replays={LETTER: LetterState.REPLAYING})
    assert (out.counts[Disposition.ALERTED], audit(out)["replay_of"]) == (1, None)


@pytest.mark.parametrize("state", [LetterState.OPEN, LetterState.PARKED])
def test_a_letter_not_in_replay_means_nothing(state: LetterState) -> None:
    out = decided(record(0, message="link down", headers=REPLAY), replays={LETTER: state})
    assert audit(out)["replay_of"] is None


def test_K13_a_long_message_is_cut_in_the_row_and_its_bytes_hashed() -> None:
    long = record(0, message="link down " + "é" * 65_536)
    row = audit(decided(long))
    assert len(row["message"]) == 65_536
    assert row["raw_sha256"] == hashlib.sha256(long.value or b"").digest()
    assert "message_cut" in row["flags"]


def test_K13_a_message_of_just_the_limit_is_whole() -> None:
    row = audit(decided(record(0, message="link down\0" + "é" * 65_526)))
    assert (len(row["message"]), row["raw_sha256"], row["flags"]) == (65_536, None, ["nul_shown"])


def test_K10_nul_is_shown_in_text_and_kept_in_the_bytes() -> None:
    out = decided(record(0, message="link down \0", hostname="h\0", source="s\0"))
    row = audit(out)
    assert (row["message"], row["hostname"], row["source"]) == ("link down \u2400", "h\u2400", "s\u2400")
    assert b"\\u0000" in row["raw"]
    assert "\\u0000" not in out.alert_rows[0][-1]


def test_K29_a_key_that_is_not_the_host_is_flagged() -> None:
    assert "key_mismatch" in audit(decided(record(0, message="link down", key=b"other")))["flags"]
    assert audit(decided(record(0, message="link down")))["flags"] is None


def test_the_fingerprint_is_of_the_last_record() -> None:
    last = record(1, message="link down")
    assert decided(record(0, message="x"), last).last_sha256 == fingerprint(last)


def test_the_same_input_gives_the_same_answer() -> None:
    records = [record(at, message=f"link down {at}") for at in range(5)]
    one, two = decided(*records), decided(*records)
    assert (one.audit, one.alert_rows) == (two.audit, two.alert_rows)


def test_I6_under_pressure_the_least_severe_alerts_are_shed_and_explained() -> None:
    records = [record(at, message="link down", syslog_severity=at) for at in range(8)]
    out = decided(*records, config=PRESSURE, depth=20)
    assert [alert.offset for alert in out.alerts] == [0, 1, 2]
    assert [(letter.offset, letter.reason, letter.rule_id) for letter in out.letters] == [
        (at, Reason.SHED, 1) for at in range(3, 8)
    ]
    assert (out.counts[Disposition.ALERTED], out.counts[Disposition.SHED]) == (3, 5)
    assert [audit(out, at)["disposition"] for at in range(8)] == ["alerted"] * 3 + ["shed"] * 5
    assert audit(out, 7)["alert_id"] is None
    assert (out.good, out.our_failures) == (3, 5)


def test_I6_what_raises_no_alert_is_processed_as_ever_and_a_storm_still_has_its_meta_alert() -> None:
    config = structs.replace(PRESSURE, unhandled_threshold=2)
    messages = ("config saved", "heartbeat", "odd", "odd")
    records = [record(at, message=text, syslog_severity=7) for at, text in enumerate(messages)]
    out = decided(*records, config=config, depth=10**6)
    assert (out.counts[Disposition.SHED], out.letters) == (0, [])
    assert [alert.offset for alert in out.alerts] == [3]


def test_I6_the_depth_grows_with_every_alert_of_the_batch() -> None:
    records = [record(at, message="link down", syslog_severity=7) for at in range(6)]
    out = decided(*records, config=PRESSURE, depth=7)
    assert [alert.offset for alert in out.alerts] == [0, 1, 2]
    assert out.counts[Disposition.SHED] == 3


def test_a_letter_names_the_host_that_its_record_names() -> None:
    shed = decided(record(0, message="link down", hostname="h9", key=None), config=PRESSURE, depth=50)
    assert [(letter.reason, letter.hostname) for letter in shed.letters] == [(Reason.SHED, "h9")]
    out = decided(
        record(0, b'{"hostname":"pay-2","message":"m","syslog_severity":"3"}', key=None),
        record(1, b'{"hostname":"pay-2","message":"m"}', key=b"relay"),
        record(2, b'{"hostname":"\\u001b[2J","message":"m"}', key=None),
        record(3, b'{"hostname":"pay-2","mess', key=None),
    )
    assert [letter.hostname for letter in out.letters] == ["pay-2", "relay", None, None]


def test_I6_deferring_sheds_nothing() -> None:
    config = structs.replace(PRESSURE, alerter_shed_mode="defer")
    out = decided(record(0, message="link down", syslog_severity=7), config=config, depth=10**6)
    assert out.counts[Disposition.ALERTED] == 1


@pytest.mark.parametrize(
    ("ruled", "own", "fate"),
    [
        (AlertSeverity.CRITICAL, 7, Disposition.ALERTED),
        (AlertSeverity.MINOR, 1, Disposition.ALERTED),
        (AlertSeverity.MINOR, 7, Disposition.SHED),
    ],
)
def test_I6_what_the_rule_or_the_event_itself_calls_severe_is_kept(
    ruled: AlertSeverity, own: int, fate: Disposition
) -> None:
    knowledge = Knowledge.of(rule_set(rule(alert_severity=ruled), config=PRESSURE))
    records = [record(0, message="link down", syslog_severity=own)]
    out = decide(
        Work(
            topic=SYSLOG, partition=3, first=0, after=1, records=records, knowledge=knowledge, book=SignatureBook(),
            now=NOW, depth=10**6,
        )
    )  # fmt: skip
    assert out.counts[fate] == 1
