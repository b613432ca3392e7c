"""What a scenario left behind: rows with the times of their commits, and what the receiver wrote. No product code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg

Place = tuple[str, int, int]
"""Topic, partition, offset."""


@dataclass(frozen=True)
class Raised:
    """A committed alert. Times are seconds since the epoch, of the commits themselves."""

    id: str
    host: str
    place: Place
    state: str
    committed: float
    settled: float | None = None

    @property
    def line(self) -> tuple[str, str, int]:
        """In this the order of offsets is the order of delivery."""
        return (self.host, *self.place[:2])


@dataclass(frozen=True)
class Post:
    """A post the receiver got: when it came, when it was answered, and how."""

    id: str
    status: int
    came: float
    at: float
    retry_after: float | None = None

    @property
    def taken(self) -> bool:
        return self.status < 300


@dataclass(frozen=True)
class Facts:
    raised: Sequence[Raised]
    posts: Sequence[Post]
    audited: frozenset[Place] = frozenset()
    """Every record that has its audit row."""
    decided: Sequence[float] = ()
    """When the audit rows were committed, in order."""
    decisions: Sequence[float] = ()
    """Seconds from a record's time at the broker to the commit of its audit row, in order."""
    shed: Mapping[int, int] = field(default_factory=dict)
    """Events shed, by severity."""
    alerting: Mapping[int, int] = field(default_factory=dict)
    """Events that raised an alert or would have, by severity."""


async def read(pool: asyncpg.Pool, log: Sequence[Mapping[str, Any]], *, since: float = 0.0) -> Facts:
    """Everything committed since then, and these lines of the receiver's log."""
    audit = [row for row in await pool.fetch(_AUDIT) if row["committed"] >= since]
    raised = [row for row in await pool.fetch(_RAISED) if row["committed"] >= since]
    return Facts(
        raised=[Raised(row["id"], row["hostname"], tuple(row)[2:5], *tuple(row)[5:]) for row in raised],
        posts=[Post(line["id"], line["status"], line["came"], line["at"], line["retry_after"]) for line in log],
        audited=frozenset(tuple(row)[:3] for row in audit),
        decided=sorted(row["committed"] for row in audit),
        decisions=sorted(row["committed"] - row["broker"] for row in audit),
        shed=_by_severity(audit, "shed"),
        alerting=_by_severity(audit, "shed", "alerted"),
    )


def _by_severity(audit: Sequence[Any], *dispositions: str) -> dict[int, int]:
    rows = [row["severity"] for row in audit if row["disposition"] in dispositions]
    return {severity: rows.count(severity) for severity in sorted(set(rows))}


_AUDIT = """
SELECT topic, partition, "offset", disposition, syslog_severity AS severity,
       extract(epoch FROM broker_time)::float8 AS broker,
       extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 AS committed
FROM audit
"""

# An alert's last change is its settlement, unless the mark that it was published came later still.
_RAISED = """
SELECT a.id::text, a.hostname, a.topic, a.partition, a."offset", a.state,
       extract(epoch FROM pg_xact_commit_timestamp(u.xmin))::float8 AS committed,
       extract(epoch FROM CASE WHEN a.published_at < a.settled_at
                               THEN pg_xact_commit_timestamp(a.xmin) ELSE a.settled_at END)::float8 AS settled
FROM alerts a JOIN audit u ON u.alert_id = a.id
"""
