"""The rules of now, compiled, for who says what they would decide."""

from __future__ import annotations

import asyncio

import asyncpg

from streams.adapters.rules import load_rule_set
from streams.core.matching import Knowledge


async def current_knowledge(pool: asyncpg.Pool) -> Knowledge:
    """Raises RuleRefused when a stored rule is none, or the engine refuses its pattern."""
    async with pool.acquire() as connection:
        rule_set, _ = await load_rule_set(connection)
    return await asyncio.to_thread(Knowledge.of, rule_set)
