"""The judge of `make load` finds what it is there to find: each planted fault is told, and only a fault is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.load import verdict
from tests.load.facts import Post, Raised
from tests.load.report import overshoot_cap

TOPIC = "mutt.ingest.syslog"


def raised(number: int, **changes: object) -> Raised:
    """The n-th alert of its host: committed at second n, settled a second later."""
    alert = Raised(f"a{number}", "h1", (TOPIC, 0, number), "delivered", float(number), number + 1.0)
    return replace(alert, **changes)  # type: ignore[arg-type]


def post(number: int, came: float | None = None, status: int = 200, retry_after: float | None = None) -> Post:
    came = number + 0.5 if came is None else came
    return Post(f"a{number}", status, came, came + 0.1, retry_after)


ALERTS = [raised(number) for number in range(4)]
POSTS = [post(number) for number in range(4)]
PLACES = frozenset(alert.place for alert in ALERTS)


def test_books_in_order_have_no_problems() -> None:
    assert verdict.lost(PLACES, PLACES, ALERTS, POSTS) == []
    assert verdict.disagreements(ALERTS, POSTS) == []
    assert verdict.out_of_order(ALERTS, POSTS) == []
    assert verdict.too_early(POSTS) == []


def test_an_event_without_an_audit_row_is_lost() -> None:
    (found,) = verdict.lost(PLACES, PLACES - {(TOPIC, 0, 2)}, ALERTS, POSTS)
    assert str((TOPIC, 0, 2)) in found


def test_an_alert_that_the_receiver_only_refused_is_lost() -> None:
    (found,) = verdict.lost(PLACES, PLACES, ALERTS, [*POSTS[:3], post(3, status=503)])
    assert "a3" in found


def test_a_delivery_that_only_one_side_knows_is_told() -> None:
    assert len(verdict.disagreements(ALERTS, POSTS[:3])) == 1
    assert len(verdict.disagreements([*ALERTS[:3], raised(3, state="pending")], POSTS)) == 1


def test_a_swapped_pair_of_one_host_is_out_of_order() -> None:
    (found,) = verdict.out_of_order(ALERTS, [POSTS[0], POSTS[2], POSTS[1], POSTS[3]])
    assert "offset 1 was delivered after 2" in found


def test_order_is_that_of_first_deliveries_within_a_host() -> None:
    repeated = [POSTS[0], POSTS[1], POSTS[0], post(3, status=503), POSTS[2], POSTS[3]]
    assert verdict.out_of_order(ALERTS, repeated) == []
    other = [raised(0), raised(1, host="h2")]
    assert verdict.out_of_order(other, [POSTS[1], POSTS[0]]) == []


def test_a_post_before_retry_after_is_over_is_told() -> None:
    throttled = post(1, came=10.0, status=429, retry_after=2.0)
    (found,) = verdict.too_early([throttled, post(1, came=12.0)])
    assert "a1" in found
    assert verdict.too_early([throttled, post(2, came=10.2), post(1, came=12.2)]) == []


def test_an_even_stream_at_the_limit_uses_no_burst_and_twice_the_limit_does() -> None:
    even = [post(0, came=number / 100) for number in range(500)]
    double = [post(0, came=number / 200) for number in range(500)]
    assert verdict.burst(even, 100) == pytest.approx(0.01)
    assert verdict.busiest(even, 1.0) == pytest.approx(100, abs=1)
    assert verdict.burst(double, 100) == pytest.approx(2.5, abs=0.02)
    assert verdict.busiest(double, 1.0) == pytest.approx(200, abs=1)


def test_what_was_saved_up_may_go_at_once_and_counts_as_burst() -> None:
    posts = [post(0, came=0.0)] * 100 + [post(0, came=10 + number / 100) for number in range(200)]
    assert verdict.burst(posts, 100) == pytest.approx(1.0)


def test_shedding_at_the_floor_is_told_and_above_it_is_not() -> None:
    assert verdict.shed_at_floor({3: 5, 7: 9}, 2) == []
    assert verdict.shed_at_floor({2: 1, 7: 9}, 2) == ["shed: 1 events of severity 2, the floor is 2"]


def test_the_share_shed_is_of_what_would_have_raised_an_alert() -> None:
    assert verdict.shed_share({7: 3}, {1: 10, 7: 12}) == {1: 0.0, 7: 0.25}


def test_the_backlog_is_what_was_committed_and_not_settled() -> None:
    assert verdict.backlog_max(ALERTS) == 1
    assert verdict.backlog_max([raised(0, settled=9.0), raised(1, settled=None), raised(2)]) == 3


def test_latency_is_from_the_commit_to_the_first_post_that_was_taken() -> None:
    posts = [post(0, came=1.0, status=503), post(0, came=3.9), post(0, came=8.0)]
    assert verdict.latencies([raised(0)], posts) == [pytest.approx(4.0)]
    assert verdict.quantile([1.0, 2.0, 3.0, 4.0], 0.5) == 3.0
    assert verdict.quantile([], 0.99) == 0.0


def test_figures_beyond_their_bounds_are_named() -> None:
    figures = {"paused_s": 2.0, "overshoot": 301, "answers": {"200": 7}}
    assert verdict.unmet(figures, {"paused_s": 2, "answers.200": 7}, {"overshoot": 301}) == []
    found = verdict.unmet(figures, {"paused_s": 3, "answers.429": 1}, {"overshoot": 300})
    assert found == ["paused_s is 2, less than 3", "answers.429 is 0, less than 1", "overshoot is 301, more than 300"]


def test_one_worker_alone_overshoots_by_one_part() -> None:
    assert overshoot_cap(1, 2000) == 100
    assert overshoot_cap(2, 200) == 300
