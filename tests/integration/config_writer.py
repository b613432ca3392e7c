"""A process that changes one configuration key without end, until it is killed."""

from __future__ import annotations

import asyncio
import itertools
import os

from schemas.settings import Settings
from streams.adapters.config_store import ConfigStore
from streams.adapters.database import create_pool
from streams.adapters.secrets import FileSecrets
from streams.adapters.transactions import Transactions
from streams.core.authors import Author

KEY = "moog_rate_limit"


async def main() -> None:
    settings = Settings.from_env(os.environ)
    pool = await create_pool(settings, FileSecrets(settings.secrets_dir), size=1)
    store = ConfigStore(Transactions(pool))
    for value in itertools.count(1):
        await store.change({KEY: str(value)}, Author(f"writer:{os.getpid()}", reason=str(value)))


if __name__ == "__main__":
    asyncio.run(main())
