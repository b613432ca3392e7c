"""docs/MIGRATION.md: every old name that mutt refuses has its row, and what stands on the right is there."""

from __future__ import annotations

import re

from ops.documents.metrics import collectors, exporters
from schemas.config import BY_NAME
from schemas.config_values import _SUCCESSORS
from schemas.topics import topics_by_name
from tests.architecture.documents import ROOT

TEXT = (ROOT / "docs" / "MIGRATION.md").read_text()
NOW = "\n".join(row.rsplit("|", 2)[1] for row in TEXT.splitlines() if row.startswith("| ") and row.endswith("|"))
"""The right-hand columns."""


def test_every_key_that_was_replaced_has_a_row() -> None:
    assert [name for name in _SUCCESSORS if f"`{name}`" not in TEXT] == []


def test_keys_metrics_and_topics_on_the_right_exist() -> None:
    known = {name for exporter in exporters() for name, _ in collectors(exporter)} | {*BY_NAME, *topics_by_name()}
    metrics = set(re.findall(r"`(mutt_[a-z_]+)", NOW))
    keys = set(re.findall(r"`([a-z]+_[a-z_]+)`", NOW)) - {"dead_letters", "partition_progress", "unhandled_signatures"}
    topics = set(re.findall(r"`(mutt\.[a-z.]+[a-z])`", NOW))
    assert len(metrics) > 8
    assert (metrics | keys | topics) - known - {
        "correlation_id",
        "match_type",
        "dynamic_config",
        "window_hours",
    } == set()
