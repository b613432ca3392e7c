"""What `mutt secrets rotate-db` works with: the store, and a login that may make others."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ops.cli.connections import settings_from_environment
from schemas.secret_names import DatabaseRole, Service
from streams.adapters.database import connect
from streams.adapters.login_rotation import LoginRotation
from streams.adapters.secret_sources import read_secrets, vault_store


@asynccontextmanager
async def rotation(role: DatabaseRole) -> AsyncIterator[LoginRotation]:
    """Raises SettingsRefused without VAULT_ADDR: files are replaced by hand."""
    settings = settings_from_environment()
    store = vault_store(settings)
    connection = await connect(settings, read_secrets(settings, Service.ROTATE))
    try:
        yield LoginRotation(settings, store, connection, role)
    finally:
        await connection.close()
