"""What is counted does not grow with what the world sends: series stay as many as they were."""

from __future__ import annotations

import datetime as dt

import pytest
from prometheus_client.exposition import generate_latest

from schemas.topics import SYSLOG
from streams.core.batches import PlainRecord
from streams.core.disposition import decide
from streams.core.matching import Knowledge
from streams.core.signatures import SignatureBook
from streams.core.work import Work
from streams.metrics import REGISTRY, count_batch
from tests.builders import event_json, rule, rule_set

NOW = dt.datetime(2026, 3, 1, 12, 0, 30, tzinfo=dt.UTC)
AT = 1_772_366_400_000
HOSTS, BATCH = 100_000, 10_000


def count_hosts(first: int, last: int) -> None:
    """Events of so many hosts, decided over and counted: alerts, unhandled ones, and what is no event."""
    knowledge = Knowledge.of(rule_set(rule(id=1, match_string="link down")))
    values = [
        b"no json" if number % 3 == 0 else event_json(
            hostname=f"host-{number}", message=f"link down on port {number}" if number % 3 == 1 else f"fan {number}"
        )
        for number in range(first, last)
    ]  # fmt: skip
    records = tuple(PlainRecord(offset, AT, b"h", value, ()) for offset, value in enumerate(values))
    decided = decide(
        Work(
            topic=SYSLOG, partition=0, first=0, after=len(records), records=records, knowledge=knowledge,
            book=SignatureBook(), now=NOW,
        )
    )  # fmt: skip
    reasons = [letter.reason for letter in decided.letters]
    count_batch(decided.counts, reasons, missing=0, alerts=len(decided.alerts), meta_alerts=0)


def series() -> int:
    return sum(not line.startswith(b"#") for line in generate_latest(REGISTRY).splitlines())


@pytest.mark.checks("SURFACE_3")
def test_a_hundred_thousand_hosts_are_no_more_series_than_three() -> None:
    count_hosts(0, 3)
    before = series()
    for first in range(0, HOSTS, BATCH):
        count_hosts(first, first + BATCH)
    assert series() == before
