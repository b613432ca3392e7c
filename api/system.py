"""GET /api/v2/system: what is in order and what is not, versions, migrations, topics and runs of retention."""

from __future__ import annotations

import datetime as dt

from msgspec import Struct

from api.gate import Now
from api.metrics import ApiMetrics
from api.shared_answer import SharedAnswer
from schemas.scopes import Scope
from schemas.versions import API_CURRENT, API_SUPPORTED, MUTT_VERSION
from streams.adapters.system import Applied, RetentionRun, SystemReads, SystemState
from streams.core.health_checks import Finding, TopicReading

PATH = "/api/v2/system"
HOLDS_S = 10.0


class SystemAnswer(Struct, frozen=True, kw_only=True):
    as_of: dt.datetime
    mutt_version: str
    api_version: str
    api_versions: tuple[str, ...]
    findings: list[Finding]
    """What `mutt doctor` finds."""
    topics: list[TopicReading]
    migrations: list[Applied]
    retention_runs: list[RetentionRun]


def system_of_all(reads: SystemReads, metrics: ApiMetrics, now: Now) -> SharedAnswer:
    """Kafka is asked for every topic."""

    async def read() -> SystemAnswer:
        with metrics.timed("system"):
            return _shown(await reads.read(), now())

    return SharedAnswer(
        read,
        holds_s=HOLDS_S,
        path=PATH,
        scope=Scope.CONFIG_READ,
        summary="What is in order and what is not: settings, topics, migrations, retention",
        answer=SystemAnswer,
    )


def _shown(state: SystemState, now: dt.datetime) -> SystemAnswer:
    return SystemAnswer(
        as_of=now,
        mutt_version=MUTT_VERSION,
        api_version=API_CURRENT,
        api_versions=API_SUPPORTED,
        findings=state.findings,
        topics=state.topics,
        migrations=state.migrations,
        retention_runs=state.runs,
    )
