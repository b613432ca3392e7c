"""What the demonstration makes of what Alertmanager posts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ops.demo.alarms import read_pages
from ops.demo.board import Board, Page
from ops.prometheus.local import program
from schemas.errors import Refused


def posted(status: str, objective: str = "alert-delivery", window: str = "1h", **labels: str) -> dict[str, Any]:
    labels = {"alertname": "MuttBudgetBurns", "objective": objective, "window": window, "severity": "page"} | labels
    return {"status": status, "labels": labels, "annotations": {"summary": "it burns"}}


def page(*, firing: bool, severity: str = "page") -> Page:
    return Page("alert-delivery", "1h", severity, "it burns", firing=firing)


def test_an_alert_is_as_it_was_told_last() -> None:
    notes = [posted("firing"), posted("firing", window="6h"), posted("resolved")]
    assert [(each.window, each.firing) for each in read_pages(notes)] == [("1h", False), ("6h", True)]


def test_other_alerts_do_not_count() -> None:
    assert read_pages([posted("firing", alertname="MuttBacklogRises")]) == []


def test_the_first_page_and_the_end_of_all_are_steps() -> None:
    board = Board(announce=lambda _: None)
    board.paged([])
    board.paged([page(firing=True, severity="ticket")])
    assert (board.rang, board.steps) == (None, [])
    board.paged([page(firing=True)])
    assert board.rang is not None
    assert board.resolved_at is None
    for _ in range(2):
        board.paged([page(firing=False), page(firing=True, severity="ticket")])
    assert board.resolved_at is not None
    assert [step for _, step in board.steps] == [
        "the pager rings: it burns (over 1h at this pace)",
        "the pager is told that the error budget burns no more",
    ]


def test_who_has_no_prometheus_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Refused, match=r"alertmanager is not installed: .* apt-get install prometheus"):
        program("alertmanager", also=str(tmp_path))
