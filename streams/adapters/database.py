"""Connections to PostgreSQL: one place that knows the address, the logins and the limits."""

from __future__ import annotations

import asyncio
import ssl
from functools import partial
from typing import Any, Literal
from weakref import WeakKeyDictionary

import asyncpg
import structlog

from schemas.errors import SettingsRefused
from schemas.secret_names import DB_PASSWORD, DB_PASSWORD_NEXT, DB_USER, DB_USER_NEXT
from schemas.secrets import Secret
from schemas.settings import Settings
from streams.adapters.secrets import SecretSource
from streams.adapters.tls import TlsFiles, client_context

log = structlog.get_logger()

STATEMENT_TIMEOUT_S = 10.0
"""Bound on one statement, so that a frozen server cannot hold a lane."""

STANDSTILL_S = 10
"""Bound on a worker's transaction in which nothing happens: a frozen worker would hold its partitions' rows."""

LOGIN_REFUSED = (asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError)


_good: WeakKeyDictionary[SecretSource, dict[str, str | None]] = WeakKeyDictionary()
"""The login that opened last."""


def connection_options(settings: Settings, secrets: SecretSource) -> dict[str, Any]:
    """Keyword arguments for asyncpg.connect, with the login in use."""
    return _options(settings) | {"ssl": _tls(settings)} | logins(secrets)[0]


def logins(secrets: SecretSource) -> list[dict[str, str | None]]:
    """User and password: those in use, then those that replace them or were replaced; both open while they change.

    Without a user it is the one of the address.
    """
    found: list[dict[str, str | None]] = []
    for user, password in ((DB_USER, DB_PASSWORD), (DB_USER_NEXT, DB_PASSWORD_NEXT)):
        name, word = secrets.get(user), secrets.get(password)
        if word is not None or not found:
            login = {"password": word.reveal() if word else None}
            found.append(login | ({"user": name.reveal()} if name else {}))
    return found


async def connect(settings: Settings, secrets: SecretSource) -> asyncpg.Connection:
    """One connection. Raises OSError or asyncpg.PostgresError when the server cannot be reached or refuses."""
    return await _log_in(settings, secrets, **_options(settings))


async def connect_as(settings: Settings, user: str, password: Secret) -> asyncpg.Connection:
    """The same with one login alone."""
    return await asyncpg.connect(**_options(settings), user=user, password=password.reveal(), ssl=_tls(settings))


async def _log_in(settings: Settings, secrets: SecretSource, *args: Any, **options: Any) -> asyncpg.Connection:
    """With the logins that are known; where all are refused they may just have been replaced, so it looks again.

    Files of TLS are read each time: whoever replaces them need not restart us. Raises SettingsRefused for them.
    """
    options["ssl"] = _tls(settings)
    try:
        return await _try_all(secrets, *args, **options)
    except LOGIN_REFUSED:
        known = logins(secrets)
        await asyncio.to_thread(secrets.refresh)
        if logins(secrets) == known:
            raise
    return await _try_all(secrets, *args, **options)


async def _log_in_again(settings: Settings, secrets: SecretSource, *args: Any, **options: Any) -> asyncpg.Connection:
    """The same for a pool: files that cannot be used any more are waited for like a server that is away."""
    try:
        return await _log_in(settings, secrets, *args, **options)
    except SettingsRefused as refused:
        raise ConnectionError(str(refused)) from refused


async def _try_all(secrets: SecretSource, *args: Any, **options: Any) -> asyncpg.Connection:
    """The last login that opened is tried too, in case that what was stored since opens nothing.

    Raises what the first login met, where none is let in.
    """
    known, good = logins(secrets), _good.get(secrets)
    refused: list[asyncpg.PostgresError] = []
    for login in known if good is None or good in known else [*known, good]:
        try:
            connection: asyncpg.Connection = await asyncpg.connect(*args, **options | login)
        except LOGIN_REFUSED as error:
            refused.append(error)
            continue
        if login not in known:
            log.error("PostgreSQL refuses the login that is stored, the last good one stays", user=login.get("user"))
        _good[secrets] = login
        return connection
    raise refused[0]


async def create_pool(
    settings: Settings, secrets: SecretSource, *, size: int, stateless: bool = False, standstill_s: int = 0
) -> asyncpg.Pool:
    """A pool of at most `size` connections, none opened before it is used. It follows a change of its login.

    `stateless` promises that no user of the pool leaves anything behind in a session: no lock, no setting but of its
    transaction, nobody listening. It saves one query each time a connection is given back. A session that stands still
    within a transaction for `standstill_s` is ended by the server; 0: never.
    """
    _tls(settings)
    options = _options(settings)
    options["server_settings"]["idle_in_transaction_session_timeout"] = f"{standstill_s}s"
    reset = _nothing_to_reset if stateless else None
    pool = await asyncpg.create_pool(
        **options, connect=partial(_log_in_again, settings, secrets), min_size=0, max_size=size, reset=reset
    )
    _follow(secrets, pool)
    return pool


def _options(settings: Settings) -> dict[str, Any]:
    return {
        "dsn": settings.database_url,
        "timeout": 10.0,
        "command_timeout": STATEMENT_TIMEOUT_S,
        "server_settings": {"application_name": "mutt", "timezone": "UTC"},
    }


def _tls(settings: Settings) -> ssl.SSLContext | Literal["disable"] | None:
    """What asyncpg takes for `ssl`. Raises SettingsRefused for files that cannot be used."""
    if settings.database_sslmode == "verify-full":
        return client_context(TlsFiles.of(settings, "database"))
    return settings.database_sslmode


def _follow(secrets: SecretSource, pool: asyncpg.Pool) -> None:
    """After a change each connection is replaced when it is next taken from the pool; what is in hand is finished."""
    loop = asyncio.get_running_loop()

    def replace() -> None:
        if not (pool.is_closing() or loop.is_closed()):
            asyncio.run_coroutine_threadsafe(pool.expire_connections(), loop)

    secrets.subscribe(replace)


async def _nothing_to_reset(_: asyncpg.Connection) -> None:
    """An open transaction is rolled back before this."""
