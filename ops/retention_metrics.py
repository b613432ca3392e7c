"""Every metric of retention, for the textfile collector of a node exporter: a command that ends has no port to ask."""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from streams.core.retention import Kind
from streams.core.retention_health import Facts, Totals


class RetentionMetrics:
    """On a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        # When the last run ended that had no problem, 0 for never. Older than two days: nothing is archived or deleted,
        # and disks fill; see `mutt retention status`.
        self.last_success = self._gauge("mutt_retention_last_success_timestamp_seconds", "End of the last good run.")
        # When the last run began, whatever came of it. Older than two days: the timer does not run it.
        self.last_run = self._gauge("mutt_retention_last_run_timestamp_seconds", "Begin of the last run.")
        # 1: the last run had problems or was cut short. It names them: `mutt retention status`.
        self.failing = self._gauge("mutt_retention_failing", "Whether the last run failed.")
        # Growing over weeks: more is archived a run, or the disk of the archives is slow.
        self.duration = self._gauge("mutt_retention_last_run_duration_seconds", "What the last run took.")
        # Partitions of the audit that are past their time and not held, and still there. Above 1 after a run: it fails.
        self.expired = self._gauge("mutt_retention_expired_partitions", "Audit partitions past their time.")
        # Months for which partitions lie ahead. Below 3: a run is missing; at 0 rows soon go to the default partition.
        self.ahead = self._gauge("mutt_retention_partitions_ahead", "Months that have a partition already.")
        # Rows for whose time there was no partition. Above 0: look at the brokers' clocks; they are never archived.
        self.strays = self._gauge("mutt_retention_default_partition_rows", "Rows in the audit's default partition.")
        # Archives that are begun, or whose rows are still in a table. Above 0 after a run: it was cut short.
        self.unfinished = self._gauge("mutt_retention_unfinished_archives", "Archives whose rows are not gone yet.")
        # Legal holds in force. What they keep, grows.
        self.holds = self._gauge("mutt_retention_legal_holds", "Legal holds in force.")
        # What the archives take. Growing faster than planned: a bigger disk, or fewer years.
        self.archives = self._gauge("mutt_retention_archives", "Archives.", "table")
        self.archived_rows = self._gauge("mutt_retention_archived_rows", "Rows in archives.", "table")
        self.archive_bytes = self._gauge("mutt_retention_archive_bytes", "Bytes of archives, compressed.", "table")
        # Room where archives lie. Less than they grew by in a month: a bigger disk, or fewer years.
        self.free = self._gauge("mutt_retention_archive_free_bytes", "Bytes free on the disk of the archives.")

    def _gauge(self, name: str, words: str, *labels: str) -> Gauge:
        return Gauge(name, words, labels, registry=self.registry)

    def set(self, facts: Facts, free: int | None) -> None:
        self.free.set(math.nan if free is None else free)
        self.last_success.set(_timestamp(facts.last_success))
        self.last_run.set(_timestamp(facts.last_run))
        self.failing.set(facts.last_outcome in ("failed", "killed"))
        self.duration.set(facts.last_seconds or 0.0)
        self.expired.set(facts.expired_parts)
        self.ahead.set(facts.months_ahead)
        self.strays.set(facts.strays)
        self.unfinished.set(facts.unfinished)
        self.holds.set(facts.holds)
        for kind in Kind:
            totals = facts.totals.get(kind, Totals(0, 0, 0))
            self.archives.labels(kind).set(totals.archives)
            self.archived_rows.labels(kind).set(totals.rows)
            self.archive_bytes.labels(kind).set(totals.bytes)


def write_textfile(facts: Facts, path: Path, *, free: int | None) -> None:
    """Replaces the file as a whole, so that no half of it is read. `free` bytes have the archives; None: not known.

    Raises OSError.
    """
    metrics = RetentionMetrics()
    metrics.set(facts, free)
    write_to_textfile(str(path), metrics.registry)


def _timestamp(moment: dt.datetime | None) -> float:
    return moment.timestamp() if moment is not None else 0.0
