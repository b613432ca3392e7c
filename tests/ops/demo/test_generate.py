"""The demonstration's traffic is reproducible, and its faults are the ones it promises."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from importlib import resources

import pytest

from ops.demo.fleet import DEVELOPMENT_HOSTS, HOSTS, NOISY_HOST
from ops.demo.generate import NEAR_STORM_EVENTS, THRESHOLD, Generated, Planned, Traffic, generate
from ops.demo.messages import UNMATCHED
from schemas.codec import decode
from schemas.dead_letters import FACTS, Reason, Stage
from schemas.errors import RecordRejected
from schemas.events import Decoded
from schemas.rule_files import read_rules
from schemas.rules import Handling, Rule
from schemas.topics import RAW, topics_by_name
from streams.core.signatures import signature
from tests.oracle import first_match

START = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
PLAN = Traffic(seed=7, start=START, seconds=12, rate=300)


@pytest.fixture(scope="module")
def generated() -> Generated:
    return generate(PLAN)


@pytest.fixture(scope="module")
def rules() -> list[Rule]:
    text = resources.files("ops.demo").joinpath("sample_rules.yaml").read_bytes()
    return sorted((read.rule for read in read_rules(text)), key=lambda rule: rule.rank)


def fate(record: Planned) -> Decoded | Reason:
    try:
        return decode(record.value, topics_by_name()[record.topic], record.key, START)
    except RecordRejected as rejected:
        return rejected.reason


def decoded(generated: Generated) -> Iterator[tuple[Planned, Decoded]]:
    for record in generated.records:
        found = fate(record)
        if isinstance(found, Decoded):
            yield record, found


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(generated: Generated) -> None:
    assert generate(PLAN).records == generated.records
    assert generate(Traffic(8, START, 12, 300)).records != generated.records


def test_records_come_in_order_within_the_time_given(generated: Generated) -> None:
    times = [record.at for record in generated.records]
    assert times == sorted(times)
    assert times[0] >= 0
    assert times[-1] <= 12


def test_every_poisoned_record_is_rejected_for_the_reason_known_in_advance(generated: Generated) -> None:
    for record in generated.records:
        found = fate(record)
        assert (None if isinstance(found, Decoded) else found) == record.reason
    decoding = {reason for reason in Reason if FACTS[reason].stage is Stage.DECODE}
    assert set(generated.rejected) == decoding


def test_lines_are_read_as_the_host_that_wrote_them(generated: Generated) -> None:
    names = {host.name for host in HOSTS}
    for record, read in decoded(generated):
        assert record.key == read.event.hostname.encode()
        assert read.event.hostname in names
        if record.topic == RAW.name:
            assert read.event.syslog_severity is not None


def test_storms_cross_the_threshold_and_nothing_else_comes_near(generated: Generated, rules: list[Rule]) -> None:
    counts: Counter[tuple[str, int]] = Counter()
    for record, read in decoded(generated):
        event = read.event
        if first_match(rules, event.message, event.syslog_severity, event.trap_oid) is None:
            counts[record.topic, signature(event.hostname, event.message)] += 1
    most = [count for _, count in counts.most_common(4)]
    assert sum(count > THRESHOLD for count in most) == generated.storms
    assert most[2] == NEAR_STORM_EVENTS
    assert most[3] < THRESHOLD / 5


def test_every_rule_and_handling_of_the_sample_has_traffic_or_is_rare(generated: Generated, rules: list[Rule]) -> None:
    assert len(rules) >= 60
    hits: Counter[int] = Counter()
    handlings: Counter[Handling] = Counter()
    for _, read in decoded(generated):
        event = read.event
        rule = first_match(rules, event.message, event.syslog_severity, event.trap_oid)
        if rule is not None:
            hits[rule.id] += 1
            development = event.hostname in DEVELOPMENT_HOSTS
            handlings[rule.dev_handling if development else rule.prod_handling] += 1
    assert set(handlings) == set(Handling)
    assert len(hits) > len(rules) * 2 / 3


def test_the_noisy_host_raises_alerts_all_the_time(generated: Generated, rules: list[Rule]) -> None:
    alerted = [
        record.at
        for record, read in decoded(generated)
        if read.event.hostname == NOISY_HOST
        and (rule := first_match(rules, read.event.message, read.event.syslog_severity, read.event.trap_oid))
        and rule.prod_handling.raises_alert
    ]
    gaps = [later - earlier for earlier, later in zip([0.0, *alerted], [*alerted, 12.0], strict=True)]
    assert max(gaps) < 1


@pytest.mark.parametrize("template", UNMATCHED, ids=lambda template: template.text[:20])
def test_no_rule_matches_what_is_meant_to_be_unhandled(template: object, rules: list[Rule]) -> None:
    text = getattr(template, "text")  # noqa: B009
    assert first_match(rules, text, 6, None) is None
