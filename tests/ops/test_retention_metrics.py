"""The textfile of retention: whole, with every table, and a node exporter could read it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from ops.retention_metrics import write_textfile
from streams.core.retention import Kind
from streams.core.retention_health import Facts, Totals


def test_the_textfile_says_what_is(tmp_path: Path) -> None:
    file = tmp_path / "mutt.prom"
    success = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    write_textfile(Facts(), file, free=None)
    assert "mutt_retention_archive_free_bytes NaN" in file.read_text()
    facts = Facts(last_outcome="killed", last_success=success, totals={Kind.SLI: Totals(1, 2, 3)})
    write_textfile(facts, file, free=7)
    samples = {
        (sample.name, sample.labels.get("table")): sample.value
        for family in text_string_to_metric_families(file.read_text())
        for sample in family.samples
    }
    assert samples["mutt_retention_failing", None] == 1
    assert samples["mutt_retention_last_run_timestamp_seconds", None] == 0
    assert samples["mutt_retention_last_success_timestamp_seconds", None] == success.timestamp()
    assert [samples["mutt_retention_archive_bytes", kind] for kind in Kind] == [0, 0, 0, 0, 3]
    assert samples["mutt_retention_archive_free_bytes", None] == 7
    assert list(tmp_path.iterdir()) == [file]
