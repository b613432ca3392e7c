"""What follows from something else does not ring: a real Alertmanager is told of both."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ops.devstack.layout import free_port
from ops.devstack.processes import spawn, wait_until
from ops.prometheus.local import installed, program
from tests.ops.prometheus.test_rules import ALERTMANAGER

BURNS = "MuttBudgetBurns"
TOLD = (
    {"alertname": BURNS, "severity": "page", "objective": "ingest-availability", "component": "ingestor"},
    {"alertname": BURNS, "severity": "ticket", "objective": "ingest-availability", "component": "ingestor"},
    {"alertname": BURNS, "severity": "page", "objective": "alert-delivery", "component": "forwarder"},
    {"alertname": BURNS, "severity": "ticket", "objective": "api-availability", "component": "api"},
    {"alertname": "MuttBreakerOpen", "severity": "page", "name": "moogsoft"},
    {"alertname": "MuttBacklogRises", "severity": "ticket"},
    {"alertname": "MuttNoWorker", "severity": "page", "job": "mutt-match"},
    {"alertname": "MuttWorkerDown", "severity": "ticket", "job": "mutt-match"},
    {"alertname": "MuttWorkerDown", "severity": "ticket", "job": "mutt-api"},
    {"alertname": "MuttStoreAway", "severity": "page"},
    {"alertname": "MuttNoProgress", "severity": "page"},
)  # fmt: skip
SILENT = {
    (BURNS, "ticket", "ingest-availability"), (BURNS, "page", "alert-delivery"), ("MuttBacklogRises", "ticket", ""),
    ("MuttWorkerDown", "ticket", "mutt-match"), ("MuttNoProgress", "page", ""),
}  # fmt: skip


@pytest.mark.skipif(not installed(), reason="prometheus-alertmanager is not installed")
def test_what_follows_from_something_else_does_not_ring(tmp_path: Path) -> None:
    with alertmanager(tmp_path) as url:
        alerts = [{"labels": labels, "annotations": {}} for labels in TOLD]
        ask(f"{url}/alerts", alerts)

        def settled() -> bool:
            return len(ask(f"{url}/alerts")) == len(TOLD) and not states(url)["unprocessed"]

        wait_until(settled, what="Alertmanager")
        wait_until(lambda: states(url)["suppressed"] == SILENT, what=f"silence of {SILENT}")


def states(url: str) -> dict[str, set[tuple[str, str, str]]]:
    found: dict[str, set[tuple[str, str, str]]] = {"active": set(), "suppressed": set(), "unprocessed": set()}
    for alert in ask(f"{url}/alerts"):
        labels = alert["labels"]
        which = labels.get("objective", labels.get("job", ""))
        found[alert["status"]["state"]].add((labels["alertname"], labels["severity"], which))
    return found


def ask(url: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read() or b"null")


@contextmanager
def alertmanager(folder: Path) -> Iterator[str]:
    port = free_port()
    options = {
        "config.file": ALERTMANAGER,
        "storage.path": folder / "data",
        "web.listen-address": f"127.0.0.1:{port}",
        "cluster.listen-address": "",
    }
    argv = [program("alertmanager"), *(f"--{name}={value}" for name, value in options.items())]
    child = spawn("alertmanager", argv, log=folder / "log")

    def answers() -> bool:
        try:
            return bool(ask(f"http://127.0.0.1:{port}/api/v2/status"))
        except OSError:
            return False

    try:
        wait_until(answers, what="Alertmanager", child=child)
        yield f"http://127.0.0.1:{port}/api/v2"
    finally:
        child.process.kill()
        child.process.wait()
