"""The independent checker: reads tables, topics, journals and logs itself, imports nothing of the product."""

from __future__ import annotations

from tests.chaos.checker.check import Acked, Sources, check, checked
from tests.chaos.checker.evidence import Anomaly
from tests.chaos.checker.kafka import committed_offsets
from tests.chaos.checker.report import Report

__all__ = ["Acked", "Anomaly", "Report", "Sources", "anomalies", "check", "checked", "committed_offsets"]


async def anomalies(dsn: str, bootstrap: str | None, acked: Acked | None = None) -> list[Anomaly]:
    """Everything that is wrong once the pipeline is quiet; without a broker, by the tables alone."""
    return (await checked(Sources(dsn=dsn, bootstrap=bootstrap, acked=acked or {}))).anomalies
