"""Decisions as they are committed: audited events with the rule that decided."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from typing import Any

import asyncpg

from ops.cli.connections import database
from schemas.events import event_id
from schemas.settings import Settings
from streams.core.letter_documents import time_text

LOOK_EVERY_S = 0.3
AT_ONCE = 1000
REMEMBERED = 5 * AT_ONCE
"""Events that were shown and are known as such; beyond a burst of so many within a look some may be left out."""

_NEWEST = """
SELECT a.topic, a.partition, a."offset", a.broker_time, a.disposition, a.hostname, a.rule_id, a.rule_version,
       a.handling, a.team, left(a.message, 120) AS message, v.body ->> 'match_type' AS match_type,
       coalesce(v.body ->> 'match_string', v.body ->> 'trap_oid') AS wanted
  FROM audit a LEFT JOIN alert_rule_versions v ON v.rule_id = a.rule_id AND v.version = a.rule_version
 ORDER BY a.broker_time DESC, a.topic, a.partition, a."offset" DESC LIMIT $1
"""


async def decisions(settings: Settings, last: int) -> AsyncIterator[Mapping[str, Any]]:
    """The last ones that are there, then what comes; without end. Raises asyncpg's errors."""
    shown: OrderedDict[str, None] = OrderedDict()
    async with database(settings) as pool:
        first = await pool.fetch(_NEWEST, AT_ONCE)
        shown.update(dict.fromkeys(map(_event, first)))
        for row in reversed(first[:last]):
            yield _row(row)
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            for row in reversed(await pool.fetch(_NEWEST, AT_ONCE)):
                if _event(row) not in shown:
                    shown[_event(row)] = None
                    yield _row(row)
            while len(shown) > REMEMBERED:
                shown.popitem(last=False)


def _event(row: asyncpg.Record) -> str:
    return event_id(row["topic"], row["partition"], row["offset"])


def _row(row: asyncpg.Record) -> dict[str, Any]:
    rule = f"{row['rule_id']} version {row['rule_version']}" if row["rule_id"] is not None else None
    pattern = f"{row['match_type']} {row['wanted'] or ''}".strip() if row["match_type"] else None
    return {
        "at": time_text(row["broker_time"]), "event": _event(row), "decided": row["disposition"],
        "hostname": row["hostname"], "rule": rule, "matches": pattern, "handling": row["handling"],
        "team": row["team"], "message": row["message"],
    }  # fmt: skip
