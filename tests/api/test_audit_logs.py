"""GET /api/v1/audit-logs: shape, filters, pages, refusals."""

from __future__ import annotations

import datetime as dt

import pytest

from streams.core.reads import AuditQuery
from tests.api.window import FakeReads, entry, window

PATH = "/api/v1/audit-logs"


def test_documented_shape() -> None:
    answer = window(FakeReads([entry()])).get(PATH)
    assert answer.status_code == 200
    assert answer.json() == {
        "logs": [
            {
                "id": 72_060_892_572_811_271,
                "event_timestamp": "2026-03-01T12:00:00.250000+00:00",
                "hostname": "core-1",
                "matched_rule_id": 5,
                "handling_decision": "Page_only",
                "forwarded_to_moog": True,
                "raw_message": '{"message":"link down"}',
            }
        ],
        "pagination": {"page": 1, "limit": 50, "total": 1, "pages": 1},
    }
    assert "x-total-estimated" not in answer.headers


def test_event_without_rule_and_bytes_that_are_no_text() -> None:
    shown = (
        window(FakeReads([entry(rule_id=None, handling=None, alerted=False, raw=b"a\xff\0b")]))
        .get(PATH)
        .json()["logs"][0]
    )
    assert (shown["matched_rule_id"], shown["handling_decision"]) == (None, "Unhandled")
    assert (shown["forwarded_to_moog"], shown["raw_message"]) == (False, "a\ufffd\0b")


def test_nothing_audited() -> None:
    body = window().get(PATH).json()
    assert body == {"logs": [], "pagination": {"page": 1, "limit": 50, "total": 0, "pages": 0}}


def test_pages_are_rounded_up_and_a_page_past_the_end_is_empty() -> None:
    client = window(FakeReads([entry(offset=number) for number in range(5)]))
    assert client.get(PATH, params={"limit": 2}).json()["pagination"] == {"page": 1, "limit": 2, "total": 5, "pages": 3}
    assert len(client.get(PATH, params={"limit": 2, "page": 3}).json()["logs"]) == 1
    past = client.get(PATH, params={"limit": 2, "page": 4}).json()
    assert past == {"logs": [], "pagination": {"page": 4, "limit": 2, "total": 5, "pages": 3}}


def test_estimated_total_says_so() -> None:
    answer = window(FakeReads([entry()], estimate=2_000_000)).get(PATH)
    assert answer.headers["x-total-estimated"] == "true"
    assert answer.json()["pagination"]["total"] == 2_000_000


@pytest.mark.parametrize("limit", ["200", "201", "1000000000", "1" + "0" * 60])
def test_large_limits_count_as_200(limit: str) -> None:
    reads = FakeReads()
    answer = window(reads).get(PATH, params={"limit": limit})
    assert (answer.status_code, answer.json()["pagination"]["limit"]) == (200, 200)
    assert reads.asked == [AuditQuery(limit=200)]


REFUSED = [
    *(f"limit={text}" for text in ("0", "-1", "", "%D9%A1%D9%A0", "1.5", "1e9", "abc", "1_0", "%2B5", "5&limit=5")),
    *(f"page={text}" for text in ("0", "-1", "", "9223372036854775808", "x", "1&page=2")),
    *(f"rule_id={text}" for text in ("0", "-1", "", "2147483648", "x")),
    *(f"hostname={text}" for text in ("", "a%00b", "a" * 1025, "a&hostname=b")),
    *(f"start_date={text}" for text in ("", "yesterday", "now-1d", "2026-13-01", "2026-02-30", "2026-03-01T25:00Z")),
    *(
        f"end_date={text}"
        for text in ("1772366400", "2026-03-01T12:00:00%2B99:99", "20260301", "0001-01-01T00:00:00%2B14:00")
    ),
    "start_date=2026-03-02&end_date=2026-03-01",
]


@pytest.mark.parametrize("query", REFUSED)
def test_bad_filters_are_422_and_never_reach_the_tables(query: str) -> None:
    reads = FakeReads()
    answer = window(reads).get(f"{PATH}?{query}")
    assert answer.status_code == 422
    assert set(answer.json()) == {"error", "correlation_id"}
    assert query.partition("=")[0] in answer.json()["error"]
    assert reads.asked == []


def test_every_fault_is_named_at_once() -> None:
    error = window().get(f"{PATH}?limit=0&page=x&start_date=then").json()["error"]
    assert all(name in error for name in ("limit", "page", "start_date"))


UTC = dt.UTC
INSTANTS = [
    ("2026-03-01T12:00:00Z", dt.datetime(2026, 3, 1, 12, tzinfo=UTC)),
    ("2026-03-01T12:00:00", dt.datetime(2026, 3, 1, 12, tzinfo=UTC)),
    ("2026-03-01 12:00", dt.datetime(2026, 3, 1, 12, tzinfo=UTC)),
    ("2026-03-01T12:00:00.250%2B02:00", dt.datetime(2026, 3, 1, 10, 0, 0, 250_000, tzinfo=UTC)),
    ("2026-03-01T12:00:00+02:00", dt.datetime(2026, 3, 1, 10, tzinfo=UTC)),
    ("2026-03-01T12:00:00-0500", dt.datetime(2026, 3, 1, 17, tzinfo=UTC)),
    ("2026-03-01t12:00:00z", dt.datetime(2026, 3, 1, 12, tzinfo=UTC)),
]


@pytest.mark.parametrize(("text", "instant"), INSTANTS)
def test_instants(text: str, instant: dt.datetime) -> None:
    reads = FakeReads()
    assert window(reads).get(f"{PATH}?start_date={text}&end_date={text}").status_code == 200
    assert reads.asked == [AuditQuery(start=instant, end=instant)]


def test_days_are_whole_since_bounds_are_inclusive() -> None:
    reads = FakeReads()
    window(reads).get(f"{PATH}?start_date=2026-03-01&end_date=2026-03-01")
    (query,) = reads.asked
    assert query.start == dt.datetime(2026, 3, 1, tzinfo=UTC)
    assert query.end == dt.datetime(2026, 3, 1, 23, 59, 59, 999_999, tzinfo=UTC)


def test_filters_reach_the_tables() -> None:
    reads = FakeReads()
    window(reads).get(PATH, params={"hostname": "gänse 1", "rule_id": "7", "page": "3", "limit": "10"})
    assert reads.asked == [AuditQuery(page=3, limit=10, hostname="gänse 1", rule_id=7)]
