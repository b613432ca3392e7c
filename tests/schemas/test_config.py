"""Dynamic configuration: bounds, types, contradictions, and what is already stored."""

from __future__ import annotations

import pytest
from msgspec.structs import asdict

from schemas.config import KEYS, DynamicConfig, Value
from schemas.config_values import check, checked_change, parse_value, snapshot, to_text, tolerant_snapshot, typed_text
from schemas.errors import ConfigRefused


def refusal(name: str, text: str) -> str:
    with pytest.raises(ConfigRefused) as caught:
        parse_value(name, text)
    return str(caught.value)


def test_every_field_has_one_key_and_every_default_is_allowed() -> None:
    assert sorted(key.name for key in KEYS) == sorted(DynamicConfig.__struct_fields__)
    for key in KEYS:
        assert parse_value(key.name, to_text(key.default)) == key.default
        assert key.means
        assert key.read_by


def test_what_is_written_is_read_again() -> None:
    config = DynamicConfig(alerter_shed_mode="defer", ingest_paused=True, moog_retry_base_delay=0.25)
    assert snapshot({name: to_text(value) for name, value in asdict(config).items()}) == config


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("alerter_queue_warn_threshold", ["1", "10000000", " 5 "], ["0", "10000001", "1.0", "1e3", "", "٣", "0x10"]),
        ("alerter_shed_mode", ["dlq", "defer"], ["DLQ2", "drop", ""]),
        ("alerter_shed_severity_floor", ["0", "7"], ["-1", "8", "true"]),
        ("ingest_paused", ["true", "FALSE"], ["1", "yes", ""]),
        ("unhandled_default_team", ["N", "x" * 100], ["", "x" * 101, "a\nb", "a\0b"]),
        ("moog_retry_base_delay", ["0.05", "60", "1e0"], ["0.04", "60.1", "nan", "inf", "1e999", "1_0"]),
        ("moog_retry_max_age", ["0", "60", "2592000"], ["1", "59", "2592001", "-1"]),
        ("config_audit_retention_days", ["365"], ["364"]),
        ("cache_reload_interval", ["1"], ["9" * 5000]),
    ],
)
def test_C4_bounds_and_types(name: str, good: list[str], bad: list[str]) -> None:
    for text in good:
        parse_value(name, text)
    for text in bad:
        assert refusal(name, text).startswith(name)


def test_an_unknown_key_names_the_nearest_or_the_successor() -> None:
    assert "did you mean moog_rate_limit?" in refusal("moog_rate_limitt", "1")
    assert "circuit_breaker_timeout now" in refusal("moog_circuit_breaker_timeout", "1")
    assert "objectives file" in refusal("slo_ingestor_target", "0.99")
    assert len(refusal("x" * 10000, "1")) < 300


def test_C4_all_problems_come_at_once() -> None:
    stored = {"nonsense": "1", "moog_rate_limit": "0", "alerter_queue_warn_threshold": "2000"}
    with pytest.raises(ConfigRefused) as caught:
        snapshot(stored)
    assert len(caught.value.problems) == 3
    assert "must be below" in caught.value.problems[2]


def test_the_hard_limit_follows_the_shed_threshold_until_somebody_sets_it() -> None:
    assert snapshot({"alerter_queue_shed_threshold": "5000"}).alerter_queue_hard_limit == 50_000
    assert check(DynamicConfig(alerter_queue_shed_threshold=5000, alerter_queue_hard_limit=5000))


def test_a_bad_stored_value_keeps_its_default_and_is_told() -> None:
    stored = {"moog_rate_limit": "lots", "unhandled_threshold": "7", "gone": "1"}
    config, problems = tolerant_snapshot(stored)
    assert config == DynamicConfig(unhandled_threshold=7)
    assert len(problems) == 2


@pytest.mark.proves("configuration.wrong")
def test_contradicting_thresholds_all_keep_their_defaults() -> None:
    config, problems = tolerant_snapshot({"alerter_queue_warn_threshold": "9000", "moog_rate_limit": "5"})
    assert config == DynamicConfig(moog_rate_limit=5)
    assert len(problems) == 1


STORED = {"alerter_queue_shed_threshold": "5000", "moog_rate_limit": "rubbish of long ago"}


def test_a_change_is_stored_in_its_plain_form() -> None:
    changes = {"ingest_paused": " TRUE ", "alerter_queue_warn_threshold": "+4999", "alerter_queue_shed_threshold": None}
    with pytest.raises(ConfigRefused, match="must be below alerter_queue_shed_threshold=2000"):
        checked_change(STORED, changes)
    del changes["alerter_queue_shed_threshold"]
    assert checked_change(STORED, changes) == {"ingest_paused": "true", "alerter_queue_warn_threshold": "4999"}


@pytest.mark.parametrize(
    "changes",
    [
        {"alerter_queue_warn_threshold": "5000"},
        {"alerter_queue_hard_limit": "5000"},
        {"alerter_queue_shed_threshold": "1000"},
        {"alerter_shed_mode": "drop"},
        {"no_such_key": None},
        {"no_such_key": "1"},
    ],
)
def test_a_change_that_cannot_stand_is_refused(changes: dict[str, str | None]) -> None:
    with pytest.raises(ConfigRefused) as caught:
        checked_change(STORED, changes)
    assert len(caught.value.problems) == 1


def test_thresholds_that_only_fit_together_are_changed_together() -> None:
    changes = {"alerter_queue_warn_threshold": "6000", "alerter_queue_shed_threshold": "7000"}
    assert checked_change(STORED, changes) == changes


def test_contradictions_of_long_ago_do_not_stop_an_operator_who_pauses() -> None:
    stored = {"alerter_queue_warn_threshold": "9000"}
    assert checked_change(stored, {"ingest_paused": "true"}) == {"ingest_paused": "true"}


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("moog_rate_limit", 7, "7"),
        ("ingest_paused", False, "false"),
        ("moog_retry_base_delay", 2, "2.0"),
        ("moog_retry_base_delay", 0.25, "0.25"),
        ("alerter_shed_mode", "defer", "defer"),
    ],
)
def test_a_typed_value_becomes_the_text_that_is_stored(name: str, value: Value, text: str) -> None:
    assert typed_text(name, value) == text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("moog_rate_limit", "7"),
        ("moog_rate_limit", True),
        ("moog_rate_limit", 7.0),
        ("moog_rate_limit", 0),
        ("ingest_paused", "true"),
        ("ingest_paused", 1),
        ("moog_retry_base_delay", "1.0"),
        ("alerter_shed_mode", 1),
        ("unhandled_default_team", "a\0"),
        ("no_such_key", 1),
    ],
)
def test_a_value_of_another_type_is_refused(name: str, value: Value) -> None:
    with pytest.raises(ConfigRefused, match=name):
        typed_text(name, value)
