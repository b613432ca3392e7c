"""The console over the real database, without a socket between."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Any

from api.app import utc_now
from api.auth import OneKey
from api.console.app import WithConsole, create_console
from api.console.sessions import Sessions
from api.hosts import Hosts
from schemas.rows import AUDIT
from streams.adapters.ended_sessions import PostgresEndedSessions
from streams.adapters.transactions import Transactions
from tests.api.console.desk import Desk
from tests.integration.conftest import Database
from tests.integration.whole_api import api_on


def console_on(database: Database) -> Desk:
    """Without keys; who opens it may do everything."""
    api, metrics = api_on(database)
    ended = PostgresEndedSessions(Transactions(database.pool))
    sessions = Sessions(OneKey(None), ended, lambda: (b"key of the cookies",), utc_now)
    console = create_console(api.table, sessions, Hosts(), metrics, asyncio.Event())
    return Desk(WithConsole(api, console))


async def store_event(database: Database, offset: int, **changes: Any) -> None:
    """One audited event of some minutes ago."""
    values: dict[str, Any] = dict.fromkeys(AUDIT) | {
        "topic": "mutt.ingest.syslog",
        "partition": 0,
        "offset": offset,
        "broker_time": utc_now() - dt.timedelta(minutes=5),
        "hostname": "core-1",
        "disposition": "logged",
        "ruleset_version": 1,
        "message": "link down on ge-0/0/1",
        "raw": b'{"hostname":"core-1","message":"link down on ge-0/0/1","timestamp":"2026-03-01T12:00:00Z"}',
    }
    row = tuple((values | changes).values())
    await database.pool.copy_records_to_table("audit", records=[row], columns=AUDIT)
