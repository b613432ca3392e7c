"""What the checker reads from files, records and samples: journals, posts, canaries, events, progress, memory."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.chaos.checker.canaries import Canaries, forms
from tests.chaos.checker.evidence import Findings, Log, Record, digest
from tests.chaos.checker.files import read_journals, read_posts
from tests.chaos.checker.pressure import cut_at
from tests.chaos.checker.reading import Event, UnreadableError, read
from tests.chaos.checker.report import last_line, report_of
from tests.chaos.checker.watch import Sample, check_caps, check_samples

PLACE = ("mutt.ingest.raw", 2)


def written(path: Path, *lines: dict[str, Any], end: str = "\n") -> Path:
    path.write_text("\n".join(map(json.dumps, lines)) + end)
    return path


def intent(number: int, value: bytes, expect: str | None = None) -> dict[str, Any]:
    return {"n": number, "at": 1.5, "do": "intent", "topic": PLACE[0], "key": base64.b64encode(b"h").decode(),
            "value": base64.b64encode(value).decode(), "headers": [["a", None]], "expect": expect}  # fmt: skip


def test_a_journal_tells_what_is_there_what_is_not_and_what_may(tmp_path: Path) -> None:
    path = written(
        tmp_path / "journal.jsonl",
        intent(1, b"x", "rejected:line"), intent(2, b"y"), intent(3, b"z"), intent(4, b"w"),
        {"n": 2, "do": "fail", "why": "too large"}, {"n": 1, "do": "ok", "partition": 2, "offset": 7},
        {"n": 3, "do": "unknown", "why": "timeout"},
    )  # fmt: skip
    journal = read_journals([path])
    of = {value: digest(b"h", value, [(b"a", None)]) for value in (b"x", b"y", b"z", b"w")}
    assert journal.ok == {PLACE: [(7, 1, of[b"x"], "rejected:line")]}
    assert journal.failed == {of[b"y"]: 1}
    assert journal.unknown == {of[b"z"]: 1, of[b"w"]: 1}
    assert journal.records == 4


def test_a_line_that_was_cut_short_is_no_line(tmp_path: Path) -> None:
    path = written(
        tmp_path / "journal.jsonl", intent(1, b"x"), {"n": 1, "do": "ok", "partition": 2, "offset": 7}, end=""
    )
    journal = read_journals([path])
    assert (len(journal.ok), sum(journal.unknown.values())) == (0, 1)


def test_an_answer_to_nothing_is_an_error(tmp_path: Path) -> None:
    path = written(tmp_path / "journal.jsonl", {"n": 1, "do": "ok", "partition": 2, "offset": 7})
    with pytest.raises(ValueError, match="never meant"):
        read_journals([path])


def test_posts_are_read_in_the_order_of_the_answers_without_probes(tmp_path: Path) -> None:
    line = {"came": 1.0, "at": 3.0, "id": "a", "status": 200, "sha256": "s"}
    path = written(tmp_path / "received.jsonl", line, line | {"id": "probe-1"}, line | {"id": "b", "at": 2.0})
    assert [(post.id, post.came, post.at) for post in read_posts([path])] == [
        ("b", 10**6, 2 * 10**6),
        ("a", 10**6, 3 * 10**6),
    ]


# -- canaries ---------------------------------------------------------------------------------------------------

SECRET = "c4nary/Üx+8=secret word"
HIDDEN = {
    "plain": SECRET.encode(),
    "hex": SECRET.encode().hex().encode(),
    "HEX": SECRET.encode().hex().upper().encode(),
    "url": quote(SECRET, safe="").encode(),
    "base64": base64.b64encode(SECRET.encode()),
    "base64 behind one byte": base64.b64encode(b"u" + SECRET.encode() + b"tail"),
    "base64 behind two bytes": base64.b64encode(b"u:" + SECRET.encode() + b"t"),
    "base64url": base64.urlsafe_b64encode(b"user:" + SECRET.encode()),
}


@pytest.mark.parametrize("hidden", HIDDEN.values(), ids=HIDDEN)
def test_a_canary_is_found_in_each_of_its_forms(hidden: bytes, tmp_path: Path) -> None:
    out = Findings()
    canaries = Canaries(["another-canary", SECRET], out)
    file = tmp_path / "worker.log"
    file.write_bytes(b"before " * 99 + hidden + b" after")
    canaries.search_file(file)
    canaries.search_log(PLACE, Log(0, 1, (Record(0, 0, None, b"x", ((b"h", b"-" + hidden + b"-"),)),)))
    assert out.found["secret"] >= 2
    assert {a.where.partition(" ")[0] for a in out.anomalies} == {"worker.log", "mutt.ingest.raw:2"}
    assert all(SECRET not in part for anomaly in out.anomalies for part in anomaly)


def test_no_canary_is_found_where_there_is_none() -> None:
    out = Findings()
    Canaries([SECRET], out).search("x", SECRET.encode()[:-2] + base64.b64encode(SECRET.encode()[2:]))
    assert out.anomalies == []
    assert out.looked["secret"] == 1


def test_forms_are_long_enough_to_mean_something() -> None:
    assert min(len(needle) for _, needle in forms("0123456789abcdef")) >= 8


# -- events -----------------------------------------------------------------------------------------------------

LINE = b"<165>1 2026-03-01T12:00:00.5Z h1 app - ID47 "
READ: list[tuple[str, bytes | None, bytes, Event | None]] = [
    ("mutt.ingest.syslog", None, b'{"hostname": "h", "message": "m", "timestamp": "x"}', Event("h", "m")),
    (
        "mutt.ingest.syslog",
        None,
        b'\xef\xbb\xbf{"hostname": "h", "message": "m", "syslog_severity": 3}',
        Event("h", "m", 3),
    ),
    ("mutt.ingest.snmp", b"k", b'{"hostname": "-", "message": "", "trap_oid": ".1.3"}', Event("k", "", None, "1.3")),
    ("mutt.ingest.snmp", None, b'{"hostname": "-", "message": ""}', None),
    ("mutt.ingest.snmp", None, b'{"hostname": "h", "message": "", "x": ' + b"9" * 5000 + b"}", Event("h", "")),
    ("mutt.ingest.raw", None, LINE + b"- text here", Event("h1", "text here", 5)),
    ("mutt.ingest.raw", None, LINE + b'[a b="c\\]"][d] \xef\xbb\xbftext', Event("h1", "text", 5)),
    ("mutt.ingest.raw", None, LINE + b"-", Event("h1", "", 5)),
    ("mutt.ingest.raw", None, LINE + b'[a b="c"] x\n', None),
    ("mutt.ingest.raw", None, LINE + b'[a b="c] x', None),
    ("mutt.ingest.raw", None, b"<34>Oct 11 22:14:15 mymachine su: failed", None),
    ("mutt.ingest.raw", b"k", LINE.replace(b"h1", b"-") + b"- x", Event("k", "x", 5)),
    ("mutt.ingest.raw", None, LINE.replace(b"h1", b"-") + b"- x", None),
    ("mutt.ingest.raw", None, LINE + b"- \xff", None),
]


@pytest.mark.parametrize(("topic", "key", "value", "event"), READ)
def test_a_record_is_read_only_without_doubt(topic: str, key: bytes | None, value: bytes, event: Event | None) -> None:
    assert read(topic, key, value) == event


@pytest.mark.parametrize(
    "value",
    [None, b" ", b"{", b"[]", b'{"hostname": "h"}', b'{"hostname": "h", "message": "m", "syslog_severity": "3"}'],
)
def test_what_is_certainly_no_event_is_told(value: bytes | None) -> None:
    with pytest.raises(UnreadableError):
        read("mutt.ingest.syslog", None, value)


@pytest.mark.parametrize(("depth", "cut"), [(1999, None), (2000, 7), (2999, 6), (3000, 5), (4000, 3), (9000, 3)])
def test_the_cut_falls_in_equal_steps(depth: int, cut: int | None) -> None:
    assert cut_at(depth, 2000, 2) == cut
    assert cut_at(depth, 2000, 7) is None


# -- samples ----------------------------------------------------------------------------------------------------


def sample(at: float, stand: int, end: int = 10, *, committed: int = 0, epoch: int = 0, held: bool = False) -> Sample:
    return Sample(at, {PLACE: committed}, {PLACE: (epoch, stand)}, {PLACE: end}, frozenset([PLACE] if held else []))


SAMPLES: dict[str, tuple[list[Sample], set[str]]] = {
    "moves on": ([sample(0, 1), sample(20, 2), sample(40, 3), sample(60, 10, committed=9)], set()),
    "falls": ([sample(0, 5), sample(1, 4)], {"progress"}),
    "falls by a reset": ([sample(0, 5), sample(1, 2, epoch=1)], set()),
    "beyond the log": ([sample(0, 11), sample(1, 11)], {"progress"}),
    "beyond a log that has only just started": ([sample(0, 11), sample(1, 11, 12)], set()),
    "Kafka was told too much": ([sample(0, 5, committed=6)], {"progress"}),
    "stands still": ([sample(0, 5), sample(15, 5), sample(30, 5), sample(45, 5)], {"stuck"}),
    "stands still for less": ([sample(0, 5), sample(29, 5), sample(31, 6)], set()),
    "paused": ([sample(0, 5), sample(15, 5, held=True), sample(31, 5), sample(60, 5)], set()),
    "nothing to do": ([sample(0, 10), sample(40, 10), sample(80, 10)], set()),
    "an outage": ([sample(0, 5), Sample(15), sample(31, 5), sample(60, 5)], set()),
}


@pytest.mark.parametrize(("samples", "detectors"), SAMPLES.values(), ids=SAMPLES)
def test_samples_are_judged(samples: list[Sample], detectors: set[str]) -> None:
    out = Findings()
    check_samples(samples, out)
    assert set(out.found) == detectors
    assert out.looked["samples"] == len(samples)


@pytest.mark.parametrize(
    ("figures", "detectors"), [({"rss_mib": 200}, set()), ({"rss_mib": 201}, {"cap"}), ({}, set())]
)
def test_memory_is_held_against_its_cap(figures: dict[str, float], detectors: set[str], tmp_path: Path) -> None:
    path = written(tmp_path / "memory.jsonl", {"at": 1.0, "worker": "match-1"} | figures)
    out = Findings()
    check_caps([path], {"rss_mib": 200}, out)
    assert set(out.found) == detectors
    assert out.looked["cap"] == len(figures)


# -- the report -------------------------------------------------------------------------------------------------


def test_the_report_tells_what_was_looked_at_and_how_to_see_it_again() -> None:
    out = Findings(kept=2)
    out.saw("lost", 1200)
    for offset in range(30):
        out.wrong("twice", f"a:0:{offset}", "2 rows", f"SELECT {offset}")
    report = report_of(out, seed="7")
    assert not report.ok
    assert (len(report.anomalies), report.found) == (2, {"twice": 30})
    text = str(report)
    for part in ("1,200 looked at, 0 wrong", "twice: a:0:0: 2 rows", "see: SELECT 0", "28 more", "seed: 7"):
        assert part in text
    last = json.loads(last_line(report))
    assert (last["ok"], last["seed"], last["anomalies"], last["looked_at"]["lost"]) == (False, "7", {"twice": 30}, 1200)
