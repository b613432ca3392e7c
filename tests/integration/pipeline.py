"""What tests do with a running pipeline: give it rules, wait until everything is settled, ask a worker."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg

from tests.integration.burial import described
from tests.integration.topics import end_offsets

INGEST = ("mutt.ingest.syslog", "mutt.ingest.snmp", "mutt.ingest.raw")


async def until(condition: Callable[[], Awaitable[object]], what: str, *, within: float = 60.0) -> None:
    """Polls until the condition holds. AssertionError saying what did not come true."""
    end = time.monotonic() + within
    while not await condition():
        assert time.monotonic() < end, f"not within {within:.0f} s: {what}"
        await asyncio.sleep(0.1)


async def add_rule(pool: asyncpg.Pool, text: str, handling: str = "Page_and_ticket", **columns: Any) -> int:
    """A rule that looks for a text; returns its id."""
    values = {
        "match_type": "contains", "match_string": text, "prod_handling": handling, "dev_handling": "Log_only",
        "team_assignment": "netops",
    } | columns  # fmt: skip
    marks = ", ".join(f"${number}" for number in range(1, len(values) + 1))
    statement = f"INSERT INTO alert_rules ({', '.join(values)}) VALUES ({marks}) RETURNING id"
    return int(await pool.fetchval(statement, *values.values()))


async def configure(pool: asyncpg.Pool, key: str, value: str) -> None:
    await pool.execute(
        "INSERT INTO dynamic_config (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = $2", key, value
    )


async def settled(
    pool: asyncpg.Pool, bootstrap: str, *, within: float = 60.0, but: frozenset[Any] = frozenset()
) -> None:
    """Waits until every ingest record that is there now is processed, and what came of it is on its topic."""
    ends = {
        (topic, partition): end
        for topic in INGEST
        for partition, end in (await asyncio.to_thread(end_offsets, bootstrap, topic)).items()
        if end and (topic, partition) not in but
    }
    behind: dict[Any, Any] = {}

    async def done() -> bool:
        rows = await pool.fetch("SELECT topic, partition, next_offset FROM partition_progress")
        stands = {(row["topic"], row["partition"]): row["next_offset"] for row in rows}
        behind.clear()
        behind.update({at: (stands.get(at), end) for at, end in ends.items() if (stands.get(at) or 0) < end})
        return not behind and not await pool.fetchval(
            "SELECT count(*) FROM (SELECT FROM alerts WHERE published_at IS NULL"
            " UNION ALL SELECT FROM dead_letters WHERE published_at IS NULL) waiting"
        )

    try:
        await until(done, "everything is processed", within=within)
    except AssertionError as late:
        group = await asyncio.to_thread(described, bootstrap, "mutt-match")
        raise AssertionError(f"{late}; behind: {behind}; {group}") from None


def ask(port: int, path: str) -> tuple[int, dict[str, Any]]:
    """Status and JSON of a GET to a running worker."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as refused:
        return refused.code, json.loads(refused.read())


def gauge(port: int, name: str) -> float:
    """A gauge of a running worker, 0 while it does not answer yet."""
    return gauges(port, name)[0]


def gauges(port: int, *names: str) -> list[float]:
    """Several of one moment; all 0 while it does not answer yet."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
    except OSError:
        return [0.0] * len(names)
    return [next((float(line.split()[-1]) for line in lines if line.startswith(f"{name} ")), 0.0) for name in names]
