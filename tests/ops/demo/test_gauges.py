"""What workers say of themselves, read from their own metrics, and what it means for the fleet."""

from __future__ import annotations

from ops.demo.gauges import Reading, read, together
from streams import metrics
from streams.core.backpressure import Level

EXPOSITION = """
mutt_backlog_level 2.0
mutt_circuit_breaker_state{name="moogsoft"} 2.0
mutt_circuit_breaker_state_changes_total{from_state="closed",name="moogsoft",to_state="open"} 1.0
mutt_circuit_breaker_state_changes_total{from_state="half_open",name="moogsoft",to_state="open"} 4.0
mutt_circuit_breaker_state_changes_total{from_state="open",name="moogsoft",to_state="half_open"} 4.0
mutt_remediation_state 2.0
mutt_partitions_paused{reason="backlog"} 12.0
mutt_partitions_paused{reason="breaker"} 8.0
mutt_partitions_paused_seconds_total{reason="backlog"} 30.5
mutt_partitions_paused_seconds_total{reason="sink"} 0.0
"""


def test_a_workers_answer_is_read() -> None:
    reading = read(EXPOSITION)
    assert (reading.level, reading.breaker, reading.opened, reading.probes_failed) == (2, 2, 1, 4)
    assert reading.remediation == 2
    assert reading.paused_s == {"backlog": 30.5}


def test_every_metric_that_is_read_is_one_that_workers_export() -> None:
    wanted = {
        line.partition("{")[0].partition(" ")[0].removesuffix("_total") for line in EXPOSITION.split("\n") if line
    }
    assert wanted <= {family.name for family in metrics.REGISTRY.collect()}


def test_gauges_are_of_those_that_run_and_counters_of_all_that_ever_did() -> None:
    killed = Reading(level=3, breaker=0, opened=1, paused_s={"backlog": 10.0})
    runs = Reading(
        level=1, breaker=1, opened=2, probes_failed=5, remediation=3, paused_s={"backlog": 2.5, "breaker": 1.0}
    )
    told = together([runs], [killed, runs])
    assert (told.level, told.breaker, told.opened, told.probes_failed) == (Level.WARN, "half-open", 3, 5)
    assert told.remediation == "backing-off"
    assert told.paused_s == {"backlog": 12.5, "breaker": 1.0}
    assert together([], []).breaker == "closed"
