"""Where retention stands, from its tables."""

from __future__ import annotations

import datetime as dt
from typing import Any

from streams.adapters.legal_holds import active_holds
from streams.adapters.retention_store import RetentionStore
from streams.core.retention import Kind, Policies, expired, months_ahead
from streams.core.retention_health import Facts, Totals

_LAST = "SELECT * FROM retention_runs ORDER BY started_at DESC LIMIT 1"
_SUCCESS = "SELECT max(finished_at) FROM retention_runs WHERE outcome = 'done'"
_TOTALS = """
SELECT kind, count(*) AS archives, coalesce(sum(rows), 0)::bigint AS rows, coalesce(sum(bytes), 0)::bigint AS bytes
  FROM retention_archives WHERE state IN ('verified', 'detached', 'removed') GROUP BY kind ORDER BY kind
"""


async def read_facts(store: RetentionStore, rules: Policies, now: dt.datetime) -> Facts:
    """Raises asyncpg's errors."""
    last = await store.pool.fetchrow(_LAST)
    parts = await store.parts()
    past = [part for part in expired(parts, rules.cutoff(Kind.AUDIT, now)) if not await store.holds_on(part)]
    return Facts(
        last_run=last["started_at"] if last else None,
        last_outcome=last["outcome"] if last else None,
        last_seconds=_seconds(last),
        last_problems=tuple(last["problems"]) if last else (),
        last_success=await store.pool.fetchval(_SUCCESS),
        months_ahead=months_ahead(parts, now),
        expired_parts=len(past),
        strays=sum((await store.strays()).values()),
        unfinished=len(await store.archives("writing", "verified", "detached")),
        holds=len(await active_holds(store.pool)),
        totals={
            Kind(row["kind"]): Totals(row["archives"], row["rows"], row["bytes"])
            for row in await store.pool.fetch(_TOTALS)
        },
    )


def _seconds(run: Any) -> float | None:
    if run is None or run["finished_at"] is None:
        return None
    seconds: float = (run["finished_at"] - run["started_at"]).total_seconds()
    return seconds
