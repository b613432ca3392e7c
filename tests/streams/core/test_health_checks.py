"""What the doctor says of what was read."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from schemas.topics import RAW, TOPICS
from streams.core.health_checks import (
    DeliveryReading,
    Finding,
    PositionReading,
    PostgresReading,
    TopicReading,
    Verdict,
    judge_deliveries,
    judge_positions,
    judge_postgres,
    judge_topics,
)

WELL = PostgresReading(
    settings={
        "fsync": "on", "full_page_writes": "on", "synchronous_commit": "on", "max_connections": "100",
        "transaction_read_only": "off", "server_version_num": "180001",
    },
    pending=(),
    clock_ahead_s=-0.2,
)  # fmt: skip
CONFIG = {
    "max.message.bytes": "4194304", "message.timestamp.type": "LogAppendTime", "cleanup.policy": "delete",
    "retention.ms": "604800000", "min.insync.replicas": "2", "unclean.leader.election.enable": "false",
}  # fmt: skip


def topics(raw: TopicReading | None) -> list[TopicReading]:
    others = [TopicReading(topic.name, topic.partitions, 3, CONFIG) for topic in TOPICS if topic is not RAW]
    return [*others, *([raw] if raw else [])]


def raw_topic(replicas: int = 3, partitions: int = RAW.partitions, **config: str) -> TopicReading:
    changes = {name.replace("_", "."): value for name, value in config.items()}
    return TopicReading(RAW.name, partitions, replicas, CONFIG | changes)


def faults(findings: Any) -> list[tuple[str, Verdict]]:
    found: list[Finding] = list(findings)
    assert all(bool(finding.remedy) == (finding.verdict is not Verdict.OK) for finding in found)
    return [(finding.subject, finding.verdict) for finding in found if finding.verdict is not Verdict.OK]


def test_all_is_well() -> None:
    assert faults(judge_postgres(WELL)) == []
    assert faults(judge_topics(topics(raw_topic()))) == []
    assert faults(judge_positions([PositionReading("t", 0, 5, 0, 5)])) == []


@pytest.mark.parametrize(
    ("setting", "value", "verdict"),
    [
        ("fsync", "off", Verdict.WRONG),
        ("full_page_writes", "off", Verdict.WRONG),
        ("synchronous_commit", "off", Verdict.WRONG),
        ("max_connections", "50", Verdict.WARNING),
    ],
)
def test_a_setting_of_postgresql(setting: str, value: str, verdict: Verdict) -> None:
    reading = replace(WELL, settings={**WELL.settings, setting: value})
    assert faults(judge_postgres(reading)) == [(setting, verdict)]


def test_a_standby() -> None:
    reading = replace(WELL, settings={**WELL.settings, "transaction_read_only": "on"})
    assert faults(judge_postgres(reading)) == [("writable", Verdict.WRONG)]


def test_a_migration_that_is_not_applied() -> None:
    assert faults(judge_postgres(replace(WELL, pending=["0009_x"]))) == [("migrations", Verdict.WRONG)]


@pytest.mark.parametrize(("ahead", "verdict"), [(1.5, Verdict.WARNING), (-40.0, Verdict.WRONG)])
def test_clocks_apart(ahead: float, verdict: Verdict) -> None:
    assert faults(judge_postgres(replace(WELL, clock_ahead_s=ahead))) == [("clock", verdict)]


@pytest.mark.parametrize(
    ("topic", "verdict"),
    [
        (None, Verdict.WRONG),
        (raw_topic(partitions=4), Verdict.WARNING),
        (raw_topic(max_message_bytes="1048588"), Verdict.WRONG),
        (raw_topic(message_timestamp_type="CreateTime"), Verdict.WRONG),
        (raw_topic(cleanup_policy="compact,delete"), Verdict.WRONG),
        (raw_topic(retention_ms="3600000"), Verdict.WARNING),
        (raw_topic(unclean_leader_election_enable="true"), Verdict.WRONG),
        (raw_topic(min_insync_replicas="1"), Verdict.WRONG),
        (raw_topic(min_insync_replicas="3"), Verdict.WARNING),
        (raw_topic(replicas=1, min_insync_replicas="1"), Verdict.WARNING),
    ],
)
def test_a_topic(topic: TopicReading | None, verdict: Verdict) -> None:
    assert faults(judge_topics(topics(topic))) == [(RAW.name, verdict)]


def test_records_may_be_kept_for_ever() -> None:
    assert faults(judge_topics(topics(raw_topic(retention_ms="-1")))) == []


@pytest.mark.parametrize(("begin", "end"), [(None, None), (0, 4), (6, 9)])
def test_a_log_that_does_not_reach_where_the_ledger_stands(begin: int | None, end: int | None) -> None:
    found = judge_positions([PositionReading("t", 3, 5, begin, end), PositionReading("t", 4, 5, 5, 5)])
    assert faults(found) == [("t:3", Verdict.WRONG)]


@pytest.mark.parametrize(
    ("unread", "waiting", "verdict"), [(0, 0, Verdict.OK), (3, 7, Verdict.OK), (0, 7, Verdict.WRONG)]
)
def test_alerts_that_no_forwarder_comes_to(unread: int, waiting: int, verdict: Verdict) -> None:
    (found,) = judge_deliveries(DeliveryReading(unread, waiting))
    assert (found.verdict, bool(found.remedy)) == (verdict, verdict is Verdict.WRONG)
