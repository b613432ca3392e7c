"""What a command needs to reach PostgreSQL and Kafka, from the environment."""

from __future__ import annotations

import getpass
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from schemas.secret_names import Service
from schemas.settings import Settings, settings_of_process
from streams.adapters.broker_access import BrokerAccess, uses_login
from streams.adapters.database import create_pool
from streams.adapters.secret_sources import read_secrets
from streams.adapters.secrets import FileSecrets


@asynccontextmanager
async def database(
    settings: Settings, *, size: int = 2, service: Service = Service.OPERATOR
) -> AsyncIterator[asyncpg.Pool]:
    """A pool for one command, with the login of this service.

    Raises OSError or asyncpg's errors, which become the command's exit status.
    """
    async with await create_pool(settings, read_secrets(settings, service), size=size) as pool:
        yield pool


def brokers_of(settings: Settings, service: Service = Service.OPERATOR) -> BrokerAccess:
    """How this service reaches Kafka; secrets are read where the brokers want a login. Raises SettingsRefused."""
    return BrokerAccess(settings, read_secrets(settings, service) if uses_login(settings) else FileSecrets(None))


def settings_from_environment() -> Settings:
    """The command's settings. From here on the Kafka client is silent: what fails is the command's one line."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    return settings_of_process(os.environ)


def user_name() -> str:
    """Who runs this command, for the record."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
