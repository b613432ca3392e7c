"""When remediation acts, how long it rests, and when it stops itself."""

from __future__ import annotations

import uuid

import pytest
from msgspec.structs import replace

from schemas.config import DynamicConfig
from schemas.dead_letters import Reason
from streams.core.delivery import Answer, Fault
from streams.core.remediation import (
    LONGEST_REST_S,
    Activity,
    Batch,
    Posts,
    RemediationPolicy,
    RemediationState,
    Round,
    Verdict,
    receiver_fault,
    verdict,
)

POLICY = RemediationPolicy(enabled=True, interval_s=30, batch_size=500, backoff_base_s=60, warn=1000)
QUIET = Posts(failing=0, delivered=0)


def batch(taken: int = 10, came_back: int = 0, waiting: int = 0, age_s: float = 0.0, *, excused: bool = False) -> Batch:
    return Batch(
        replay_id=uuid.uuid4(), taken=taken, came_back=came_back, waiting=waiting, age_s=age_s, excused=excused
    )


def test_the_policy_is_that_of_the_configuration() -> None:
    assert RemediationPolicy.of(DynamicConfig()) == POLICY


@pytest.mark.parametrize(
    ("attempt", "seconds"), [(0, 30), (1, 60), (2, 120), (59, 3540), (61, LONGEST_REST_S), (10**9, LONGEST_REST_S)]
)
def test_it_rests_for_the_interval_or_base_times_the_attempt(attempt: int, seconds: float) -> None:
    assert POLICY.rest_s(attempt) == seconds


def test_it_never_rests_shorter_than_the_interval() -> None:
    assert replace(POLICY, interval_s=300).rest_s(1) == 300


@pytest.mark.parametrize(("pending", "room"), [(0, 500), (500, 500), (501, 499), (999, 1), (1000, 0), (10**6, 0)])
def test_a_round_never_lifts_the_backlog_to_warn(pending: int, room: int) -> None:
    assert POLICY.room(pending) == room


@pytest.mark.parametrize(
    ("of", "says"),
    [
        (None, Verdict.WELL),
        (batch(10), Verdict.WELL),
        (batch(0), Verdict.WELL),
        (batch(10, waiting=1), Verdict.WAITING),
        (batch(10, came_back=5, waiting=1), Verdict.WAITING),
        (batch(10, came_back=1), Verdict.CAME_BACK),
        (batch(10, came_back=5), Verdict.CAME_BACK),
        (batch(10, came_back=6), Verdict.STOPPED),
        (batch(10, came_back=6, waiting=4), Verdict.STOPPED),
        (batch(1, came_back=1), Verdict.CAME_BACK),
        (batch(2, came_back=2), Verdict.CAME_BACK),
        (batch(3, came_back=3), Verdict.STOPPED),
        (batch(10, came_back=10, excused=True), Verdict.WELL),
    ],
)
def test_more_than_half_of_a_batch_stops_it(of: Batch | None, says: Verdict) -> None:
    assert verdict(of) is says


@pytest.mark.parametrize(
    ("answer", "posts", "says"),
    [
        (Answer(status=200), QUIET, None),
        (Answer(status=302), QUIET, None),
        (Answer(status=401), QUIET, None),
        (Answer(status=404), QUIET, None),
        (Answer(status=405), QUIET, None),
        (Answer(status=501), QUIET, None),
        (Answer(status=429), QUIET, "answers 429"),
        (Answer(status=500), QUIET, "answers 500"),
        (Answer(status=503), Posts(failing=0, delivered=9), "answers 503"),
        (Answer(status=99), QUIET, "answers 99"),
        (Answer(fault=Fault.TIMEOUT), QUIET, "gives no answer (timeout)"),
        (Answer(fault=Fault.CONNECTION), Posts(failing=0, delivered=9), "gives no answer (connection)"),
        (Answer(status=200), Posts(failing=2, delivered=0), "takes no alerts: 2 wait after posts that failed"),
        (Answer(status=200), Posts(failing=2, delivered=1), None),
    ],
)
def test_a_receiver_is_healthy_when_it_answers_and_takes_alerts(answer: Answer, posts: Posts, says: str | None) -> None:
    assert receiver_fault(answer, posts) == says


def test_it_rests_before_its_first_round_and_between_rounds() -> None:
    state = RemediationState(now=100.0)
    assert [state.due(POLICY, now) for now in (100.0, 129.9, 130.0)] == [False, False, True]
    state.ended(Round.REPLAYED, 130.0)
    assert [state.due(POLICY, now) for now in (159.9, 160.0)] == [False, True]
    assert not state.due(replace(POLICY, enabled=False), 10**6)


def test_it_backs_off_by_base_times_attempt_until_a_round_is_good() -> None:
    state, now = RemediationState(0.0), 0.0
    for attempt, outcome in enumerate((Round.RECEIVER, Round.BACKLOG, Round.RECEIVER), 1):
        state.ended(outcome, now)
        assert state.attempt == attempt
        assert not state.due(POLICY, now + 60 * attempt - 0.1)
        now += 60 * attempt
        assert state.due(POLICY, now)
    assert state.activity(POLICY) is Activity.BACKING_OFF
    state.ended(Round.UNAVAILABLE, now)
    assert state.attempt == 3
    state.ended(Round.REPLAYED, now)
    assert state.due(POLICY, now + 30)


def test_a_change_of_the_interval_counts_at_once() -> None:
    state = RemediationState(0.0)
    assert not state.due(POLICY, 1.0)
    assert state.due(replace(POLICY, interval_s=1), 1.0)


def test_a_batch_is_judged_once_and_its_letters_rest_longer_each_time() -> None:
    state = RemediationState(0.0)
    first, second = batch(10, came_back=1), batch(10, came_back=2)
    assert state.judge({Reason.DELIVERY: first}) == [(Reason.DELIVERY, Verdict.CAME_BACK, first)]
    assert state.judge({Reason.DELIVERY: first}) == []
    assert state.hold(Reason.DELIVERY, POLICY) is Verdict.CAME_BACK
    assert state.hold(Reason.SHED, POLICY) is None
    state.judge({Reason.DELIVERY: replace(first, age_s=60)})
    assert state.hold(Reason.DELIVERY, POLICY) is None
    state.judge({Reason.DELIVERY: replace(second, age_s=119)})
    assert state.hold(Reason.DELIVERY, POLICY) is Verdict.CAME_BACK
    state.judge({Reason.DELIVERY: replace(second, age_s=120)})
    assert state.hold(Reason.DELIVERY, POLICY) is None
    state.judge({Reason.DELIVERY: batch(10)})
    state.judge({Reason.DELIVERY: batch(10, came_back=1, age_s=60)})
    assert state.hold(Reason.DELIVERY, POLICY) is None


def test_the_next_batch_waits_for_the_verdict_within_reason() -> None:
    state = RemediationState(0.0)
    out = batch(10, waiting=1, age_s=119)
    assert state.judge({Reason.SHED: out}) == []
    assert (state.unsettled, state.hold(Reason.SHED, POLICY)) == (True, Verdict.WAITING)
    state.judge({Reason.SHED: replace(out, age_s=120)})
    assert state.hold(Reason.SHED, POLICY) is None


def test_stopped_holds_for_one_reason_until_an_operator_has_acted() -> None:
    state = RemediationState(0.0)
    refused = batch(10, came_back=10, age_s=10**6)
    assert state.judge({Reason.DELIVERY: refused}) == [(Reason.DELIVERY, Verdict.STOPPED, refused)]
    assert state.hold(Reason.DELIVERY, POLICY) is Verdict.STOPPED
    assert state.hold(Reason.SHED, POLICY) is None
    assert (state.stopped, state.activity(POLICY)) == ([Reason.DELIVERY], Activity.STOPPED)
    state.judge({Reason.DELIVERY: replace(refused, excused=True)})
    assert (state.stopped, state.hold(Reason.DELIVERY, POLICY)) == ([], None)
    assert state.activity(POLICY) is Activity.WATCHING
    assert state.activity(replace(POLICY, enabled=False)) is Activity.OFF
