"""Connections to PostgreSQL: one place that knows the address, the password and the limits."""

from __future__ import annotations

from typing import Any

import asyncpg

from schemas.settings import Settings
from streams.adapters.secrets import DB_PASSWORD, SecretSource

STATEMENT_TIMEOUT_S = 10.0
"""Bound on one statement, so that a frozen server cannot hold a lane."""

STANDSTILL_S = 10
"""Bound on a worker's transaction in which nothing happens: a frozen worker would hold its partitions' rows."""


def connection_options(settings: Settings, secrets: SecretSource) -> dict[str, Any]:
    """Keyword arguments for asyncpg.connect and asyncpg.create_pool."""
    password = secrets.get(DB_PASSWORD)
    return {
        "dsn": settings.database_url,
        "password": password.reveal() if password else None,
        "timeout": 10.0,
        "command_timeout": STATEMENT_TIMEOUT_S,
        "server_settings": {"application_name": "mutt", "timezone": "UTC"},
    }


async def connect(settings: Settings, secrets: SecretSource) -> asyncpg.Connection:
    """One connection. Raises OSError or asyncpg.PostgresError when the server cannot be reached or refuses."""
    return await asyncpg.connect(**connection_options(settings, secrets))


async def create_pool(
    settings: Settings, secrets: SecretSource, *, size: int, stateless: bool = False, standstill_s: int = 0
) -> asyncpg.Pool:
    """A pool of at most `size` connections, none opened before it is used.

    `stateless` promises that no user of the pool leaves anything behind in a session: no lock, no setting but of its
    transaction, nobody listening. It saves one query each time a connection is given back. A session that stands still
    within a transaction for `standstill_s` is ended by the server; 0: never.
    """
    options = connection_options(settings, secrets)
    options["server_settings"]["idle_in_transaction_session_timeout"] = f"{standstill_s}s"
    reset = _nothing_to_reset if stateless else None
    return await asyncpg.create_pool(**options, min_size=0, max_size=size, reset=reset)


async def _nothing_to_reset(_: asyncpg.Connection) -> None:
    """An open transaction is rolled back before this."""
