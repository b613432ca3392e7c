"""Brings the servers of a stack to where mutt can start: database, schema, topics."""

from __future__ import annotations

import asyncpg

from ops.devstack.postgres import DATABASE
from ops.devstack.secured import SecuredStack
from ops.devstack.stack import Stack
from schemas.settings import Settings
from streams.adapters.database import connect, connection_options
from streams.adapters.migrations import migrate
from streams.adapters.secrets import FileSecrets
from streams.adapters.topics import create_topics


async def provision(stack: Stack) -> None:
    """Creates the database if it is missing, migrates, creates the topics. Safe to repeat."""
    await _create(await stack.connect("postgres"), DATABASE)
    if isinstance(stack, SecuredStack):
        await stack.give_rights()
        return
    settings = stack.settings
    connection = await connect(settings, FileSecrets(settings.secrets_dir))
    try:
        await migrate(connection)
    finally:
        await connection.close()
    await create_topics(settings.kafka_bootstrap)


async def create_database(settings: Settings, name: str, *, template: str = "template1") -> None:
    """Creates a database on the stack's server unless it is there."""
    options = connection_options(settings, FileSecrets(settings.secrets_dir))
    await _create(await asyncpg.connect(**options, database="postgres"), name, template)


async def _create(connection: asyncpg.Connection, name: str, template: str = "template1") -> None:
    try:
        if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", name):
            await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"', timeout=60)
    finally:
        await connection.close()
