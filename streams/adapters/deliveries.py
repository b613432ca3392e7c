"""What became of each alert, in PostgreSQL: states, attempts, dead letters and the forwarder's SLI."""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg

from schemas.alerts import AlertState
from schemas.dead_letters import DeadLetter
from schemas.rows import DEAD_LETTERS, letter_row
from schemas.slo import Component
from schemas.topics import ALERTS
from streams.adapters.faults import store_faults
from streams.adapters.letter_log import COME_BACK
from streams.core.delivery import Settlement, Standing

_LOAD = """
    SELECT id, state, attempts, broker_time,
           coalesce(payload_sha256, sha256(convert_to(payload::text, 'UTF8'))) AS payload_sha256
    FROM alerts WHERE id = ANY($1)"""

# Attempts only grow and only a pending alert is settled: so a transaction whose outcome was unknown is written again
# without effect, and what a worker that lost its partition says last changes nothing. A record dies once: where its
# letter is there and the alert is pending, it was replayed since.
_SETTLE = """
    UPDATE alerts a SET
        state = n.state, attempts = n.attempts,
        last_status = CASE WHEN n.posts > 0 THEN n.status ELSE a.last_status END,
        last_error = n.error,
        first_attempt_at = coalesce(a.first_attempt_at, n.first_attempt_at),
        last_attempt_at = CASE WHEN n.posts > 0 THEN n.at ELSE a.last_attempt_at END,
        settled_at = CASE WHEN n.state <> 'pending' THEN n.at END
    FROM unnest($1::uuid[], $2::text[], $3::int[], $4::int[], $5::int[], $6::text[],
                $7::timestamptz[], $8::timestamptz[], $9::uuid[])
        AS n (id, state, attempts, posts, status, error, first_attempt_at, at, letter)
    WHERE a.id = n.id AND a.state = 'pending' AND (n.state <> 'pending' OR n.attempts > a.attempts)
      AND NOT EXISTS (SELECT FROM dead_letters d WHERE d.id = n.letter)
    RETURNING a.id"""

_COLUMNS = ", ".join(f'"{name}"' for name in DEAD_LETTERS)
_PLACES = ", ".join(f"${number}" for number in range(1, len(DEAD_LETTERS) + 1))
_INSERT_LETTER = f"INSERT INTO dead_letters ({_COLUMNS}) VALUES ({_PLACES}) ON CONFLICT (id) DO NOTHING"  # noqa: S608 - constants

_COUNT = """
    INSERT INTO sli (component, topic, partition, minute, good, total)
    VALUES ($1, $2, $3, date_trunc('minute', now()), $4, $5)
    ON CONFLICT (component, topic, partition, minute)
    DO UPDATE SET good = sli.good + excluded.good, total = sli.total + excluded.total"""


class PostgresDeliveries:
    """Implements the DeliveryStore port."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def load(self, alerts: Sequence[uuid.UUID]) -> Mapping[uuid.UUID, Standing]:
        with store_faults():
            rows = await self._pool.fetch(_LOAD, alerts)
        return {
            row["id"]: Standing(AlertState(row["state"]), row["attempts"], row["payload_sha256"], row["broker_time"])
            for row in rows
        }

    async def settle(self, settlements: Sequence[Settlement], foreign: Sequence[DeadLetter]) -> None:
        with store_faults():
            async with self._pool.acquire() as connection, connection.transaction():
                ordered = sorted(settlements, key=lambda settlement: settlement.alert_id)  # one order of row locks
                written = await _update(connection, ordered)
                await _insert_letters(connection, written, foreign)
                await _count(connection, written)

    async def pending(self) -> int:
        """Alerts that wait for delivery, fleet-wide."""
        with store_faults():
            count: int = await self._pool.fetchval("SELECT count(*) FROM alerts WHERE state = 'pending'")
        return count


async def _update(connection: Any, settlements: Sequence[Settlement]) -> list[Settlement]:
    """Updates the rows; returns the settlements that changed one."""
    if not settlements:
        return []
    rows = await connection.fetch(
        _SETTLE,
        [each.alert_id for each in settlements],
        [each.state.value for each in settlements],
        [each.attempts for each in settlements],
        [each.posts for each in settlements],
        [each.status for each in settlements],
        [each.error for each in settlements],
        [each.first_attempt_at for each in settlements],
        [each.at for each in settlements],
        [each.letter and each.letter.id for each in settlements],
    )
    changed = {row["id"] for row in rows}
    return [each for each in settlements if each.alert_id in changed]


async def _insert_letters(connection: Any, written: Sequence[Settlement], foreign: Sequence[DeadLetter]) -> None:
    dead = [(each.letter, each.replay_of) for each in written if each.letter is not None]
    letters = [letter for letter, _ in dead] + list(foreign)
    if letters:
        await connection.executemany(_INSERT_LETTER, [letter_row(letter) for letter in letters])
    again = [(letter.id, replay_of) for letter, replay_of in dead if replay_of is not None]
    if again:
        await connection.execute(COME_BACK, [new for new, _ in again], [old for _, old in again])


async def _count(connection: Any, written: Sequence[Settlement]) -> None:
    """Posts for the forwarder's indicator, alerts that came to their end for that of latency; in one order of locks."""
    counts: dict[tuple[int, Component], Counter[str]] = defaultdict(Counter)
    for each in written:
        counts[each.partition, Component.FORWARDER].update(good=each.good, total=each.posts)
        if each.state is not AlertState.PENDING:
            counts[each.partition, Component.ALERT_LATENCY].update(good=int(each.on_time), total=1)
    for (partition, component), count in sorted(counts.items()):
        if count["total"]:
            await connection.execute(_COUNT, component.value, ALERTS.name, partition, count["good"], count["total"])
