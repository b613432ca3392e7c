"""Shows on /metrics of a dead-letters worker what no worker knows by itself: lag, ledger, keys that end."""

from __future__ import annotations

import asyncio
import math

import structlog

from schemas.errors import Unavailable
from streams import metrics
from streams.adapters.accounts import Account, Accounts

log = structlog.get_logger()

EVERY_S = 15.0


async def show_forever(accounts: Accounts) -> None:
    """Until cancelled. What cannot be read is no number, so that nothing old is taken for new."""
    while True:
        try:
            _show(await accounts.read())
        except Unavailable as fault:
            log.debug("accounts cannot be read", error=str(fault))
            for gauge in (metrics.INGEST_LAG, metrics.LEDGER_FAULTS, metrics.KEYS_FIRST_EXPIRY):
                gauge.set(math.nan)
        await asyncio.sleep(EVERY_S)


def _show(account: Account) -> None:
    metrics.INGEST_LAG.set(account.lag)
    metrics.LEDGER_FAULTS.set(account.faults)
    metrics.KEYS_FIRST_EXPIRY.set(account.first_expiry.timestamp() if account.first_expiry else 0.0)
