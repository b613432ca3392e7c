"""What pages show of strangers' text: all of it, and only as text."""

from __future__ import annotations

from typing import Any

import pytest

from api.console.charts import Chart, burn_chart, trend
from api.console.rendering import STATIC, exact, moment, seen
from api.console.tiles import parts
from api.lag import KEPT, LagTrend
from tests.api.console.canned import KEY, World
from tests.api.console.desk import read
from tests.api.window import NOW

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'-alert(1)-'",
    "</textarea><svg/onload=alert(1)>",
    "javascript:alert(1)",
    "{{ 7 * 7 }}{% raw %}",
    "\x1b[31mred\x1b[0m",
    "a\u202eexe.gpj",
    "\x00\x07\x7f\x85",
    "&lt;b&gt;",
    "x" * 65536,
)

EVENT: dict[str, Any] = {
    "event_id": "mutt.ingest.raw:0:1", "broker_time": "2026-09-01T11:00:00Z", "hostname": "core-1",
    "disposition": "alerted", "rule_id": 7, "team": "netops", "message": "m",
}  # fmt: skip


@pytest.mark.checks("UI_1", "UI_2")
@pytest.mark.parametrize("path", ["/ui/sign-in", "/ui/events", "/ui/nothing", "/ui/static/console.js"])
async def test_a_browser_is_told_to_run_send_and_show_nothing_that_is_not_ours(path: str) -> None:
    desk = World().desk()
    await desk.sign_in(KEY)
    headers = (await desk.client.get(path)).headers
    policy = dict(one.split(" ", 1) for one in headers["content-security-policy"].split("; "))
    none = dict.fromkeys(("default-src", "base-uri", "frame-ancestors"), "'none'")
    ours = dict.fromkeys(("script-src", "style-src", "img-src", "connect-src", "form-action"), "'self'")
    assert policy.items() >= (none | ours).items()
    assert [name for name, value in policy.items() if name.endswith("-src") and "unsafe" in value] == []
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.checks("UI_5")
async def test_an_events_text_is_only_text(text: str) -> None:
    row = EVENT | {"message": text, "hostname": text[:255], "team": text[:255]}
    trace: dict[str, Any] = {
        "event_id": EVENT["event_id"], "verdict": text, "record": {"in_kafka": True, "value": {"text": text}},
        "progress": None, "ledger": [{"ruleset_digest": text}], "audit": [row | {"raw": {"text": text}}],
        "rules": [{"rule_id": 7, "match_string": text}], "alerts": [{"id": "x", "payload": {"description": text}}],
        "dead_letters": [{"id": text[:30], "detail": text}], "replays": [], "replayed_as": [],
    }  # fmt: skip
    world = World({"/api/v2/audit-logs": {"items": [row], "next": None}, "/api/v2/events/{id}/trace": trace})
    desk = world.desk()
    await desk.sign_in(KEY)
    for path in (
        "/ui/events",
        "/ui/events?hostname=" + "%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E",
        "/ui/events/x?record=true",
    ):
        page = await desk.page(path)  # in which nothing runs, or leads elsewhere
        assert not set(page) & set("\x1b\u202e\x00\x07\x7f\x85")
        found = read(page)
        assert not {"img", "svg", "b"} & set(found.tags)
        assert any(seen(text) in one for one in found.texts)


def test_what_cannot_be_seen_is_named() -> None:
    assert seen("a\x1b\x00\t\n\x7f\u202e\u200b\u2028é中") == "".join(
        ("a\u241b\u2400\t\n\u2421", *(f"\u2039U+{code}\u203a" for code in ("202E", "200B", "2028")), "é中")
    )


def test_what_is_sent_back_is_not_changed() -> None:
    assert str(exact('a\u200b"<')) == "a\u200b&#34;&lt;"
    assert str(exact(None)) == ""


def test_times_are_in_utc_for_whom_has_no_script() -> None:
    told = str(moment("2026-03-01T13:00:00+01:00"))
    assert told == '<time datetime="2026-03-01T12:00:00.000+00:00">2026-03-01 12:00:00 UTC</time>'
    assert "never" in str(moment(None))


def test_the_parts_of_the_bar_lie_side_by_side() -> None:
    assert parts({"a": 1, "b": 0, "c": 3}) == {"a": (0.0, 250.0), "b": (250.0, 0.0), "c": (250.0, 750.0)}
    assert parts({"a": 0}) == {"a": (0.0, 0.0)}


def test_what_every_page_loads_is_small() -> None:
    """First page: at most 100 kB, and these are most of it."""
    assert sum(file.stat().st_size for file in STATIC.iterdir()) < 40_000


def burnt(*rates: float | None, **more: Any) -> Chart:
    """A step a minute, from noon on."""
    points = [{"at": f"2026-03-01T12:{minute:02}:00Z", "burn_rate": rate} for minute, rate in enumerate(rates)]
    series = {"since": "2026-03-01T12:00:00Z", "until": "2026-03-01T12:06:00Z", "step_seconds": 60, "points": points}
    return burn_chart(series | {"alerts": [], "maintenance": []} | more)


def test_a_chart_has_no_line_where_nothing_was_measured() -> None:
    drawn = burnt(1.0, 4.0, None, 0.0, None)
    assert (drawn.lines, drawn.top, drawn.limit) == (["0.0,60.0 100.0,0.0", "300.0,80.0 302.0,80.0"], 4.0, 60.0)
    assert (burnt().lines, burnt().top, burnt().limit) == ([], 2.0, 40.0)


def test_alerts_and_maintenance_are_bands_of_their_time() -> None:
    window = {"starts_at": "2026-03-01T11:00:00Z", "ends_at": "2026-03-01T12:01:00Z", "reason": "upgrade"}
    later = window | {"starts_at": "2026-03-01T13:00:00Z", "ends_at": "2026-03-01T14:00:00Z"}
    alert = {
        "since": "2026-03-01T12:03:00Z", "until": "2026-03-01T12:05:00Z", "severity": "page", "long_window": "1h",
    }  # fmt: skip
    bands = burnt(1.0, maintenance=[window, later], alerts=[alert]).bands
    assert [(one.kind, one.x, one.width, one.title) for one in bands] == [
        ("maintenance", 0.0, 100.0, "upgrade"),
        ("firing", 300.0, 200.0, "page: 1h"),
    ]


def test_a_trend_is_drawn_from_its_first_point_to_its_last() -> None:
    points = [
        {"at": f"2026-03-01T12:0{minute}:00Z", "records": records} for minute, records in ((0, 0), (1, 8), (4, 4))
    ]
    assert (trend(points).lines, trend(points).top) == (["0.0,80.0 150.0,0.0 600.0,40.0"], 8)
    assert trend(points[:1]).lines == trend([]).lines == []


async def test_lag_is_kept_for_an_hour() -> None:
    counts = iter(range(KEPT + 9))

    async def count() -> int:
        return next(counts)

    lag = LagTrend(count, lambda: NOW)
    for _ in range(KEPT + 9):
        await lag.look()
    assert [point.records for point in lag.points] == list(range(9, KEPT + 9))


async def test_what_a_browser_stopped_is_counted_for_those_alone_who_are_signed_in() -> None:
    world = World()
    desk = world.desk()

    async def told(content: bytes) -> tuple[int, float | None]:
        answer = await desk.client.post("/ui/csp-report", content=content)
        return answer.status_code, world.metrics.registry.get_sample_value("mutt_console_policy_reports_total")

    report = b'{"csp-report":{"violated-directive":"script-src","blocked-uri":"inline\\nx","line-number":3}}'
    assert await told(report) == (204, 0)
    await desk.sign_in(KEY)
    for number, content in enumerate((report, b"", b"[]", b"\xff", b'{"csp-report":7}'), 1):
        assert await told(content) == (204, number)
    assert (await told(b"x" * 20_000))[0] == 413


async def test_a_wrong_filter_is_told_where_it_stands_and_the_form_keeps_it() -> None:
    desk = World().desk()
    await desk.sign_in(KEY)
    page = await desk.page("/ui/events?since=yesterday")
    assert 'value="yesterday"' in page


async def test_a_short_page_says_that_older_ones_may_fit() -> None:
    desk = World({"/api/v2/audit-logs": {"items": [], "next": "abc"}}).desk()
    await desk.sign_in(KEY)
    page = await desk.page("/ui/events?q=x&hostname=&cursor=begin")
    assert 'href="/ui/events?q=x&amp;cursor=abc">look further' in page
    assert 'href="/ui/events?q=x">First page' in page
