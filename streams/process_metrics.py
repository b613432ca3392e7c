"""What every process of mutt says of itself beside its own metrics: its clock, its start, its memory."""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry, Gauge, ProcessCollector


def add_process_metrics(registry: CollectorRegistry) -> None:
    """Once a registry. `process_*` are there on Linux alone."""
    ProcessCollector(registry=registry)
    # What the process takes for now. Apart from the time of the scrape: a clock is wrong, here or at Prometheus.
    clock = Gauge("mutt_clock_timestamp_seconds", "The process's clock, as Unix time.", registry=registry)
    clock.set_function(time.time)
