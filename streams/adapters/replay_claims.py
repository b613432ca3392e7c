"""Replays and the letters they take: no letter is ever taken by two, and each knows who took it."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import asyncpg
import msgspec

from schemas.config import DynamicConfig
from schemas.errors import Refused
from schemas.rows import plain_uuid
from streams.adapters.letter_filters import (
    BY_ORIGIN,
    FROM,
    MATCHES,
    ORDER,
    START,
    WHOLE,
    Place,
    filter_values,
    place,
    stored_letter,
)
from streams.adapters.letter_log import log_letters, park_letters
from streams.core.replay import LetterFilter, Refusal, ReplayPolicy, StoredLetter, refusal

_AFTER = f"{ORDER} > ($9::text, $10::integer, $11::timestamptz, $12::bigint, $13::uuid)"


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a replay keeps to, whoever resumes it; None means: no bound."""

    most: int | None = None
    """Letters sent in all."""
    per_second: float | None = None


UNBOUNDED = Bounds()


@dataclass(frozen=True, slots=True)
class Replay:
    """One recorded replay."""

    id: uuid.UUID
    actor: str
    reason: str | None
    chosen: LetterFilter
    created_at: dt.datetime
    selected: int = 0
    sent: int = 0
    refused: int = 0
    finished_at: dt.datetime | None = None
    came_back: int | None = None
    """Letters that failed again after it; None until all of them are settled, and for replays by hand."""
    bounds: Bounds = UNBOUNDED
    problem: str | None = None
    """Why it stopped last, where it runs by itself; None while it goes well."""


@dataclass(slots=True)
class Claim:
    """The next letters of a replay: those to send, those refused and why, and where to go on (None: at the end)."""

    letters: list[StoredLetter] = field(default_factory=list)
    refused: list[tuple[StoredLetter, Refusal]] = field(default_factory=list)
    after: Place | None = None


READ_TIMEOUT_S = 120.0
"""Bound on a count that may read every letter."""
CLAIM_BYTES = 8 * 1024 * 1024
"""Letters claimed at once come to no more, unless it is a single one."""

_SIZE = """coalesce(octet_length(d.value), 0) + coalesce(octet_length(d.edited_value), 0)
    + coalesce(pg_column_size(d.header_values), 0)"""
BEFORE_IT = f"{MATCHES} AND d.state = 'open' AND d.first_failed_at < $9"
"""The open letters that a replay names, with when it was begun; those that it refused are among them."""
_OPEN = f"{MATCHES} AND {_AFTER} AND d.state = 'open' AND d.first_failed_at < $14"
CLAIM = (
    f"SELECT {WHOLE} FROM (SELECT * FROM dead_letters d WHERE {_OPEN} {BY_ORIGIN} LIMIT $15"  # noqa: S608 - constants
    f" FOR UPDATE SKIP LOCKED) d LEFT JOIN alerts a ON a.id = d.alert_id {BY_ORIGIN}"
)
"""The next letters, locked. Joined only then: else the database may read and sort all that are left for each chunk."""
_IN_HAND = (
    "d.replay_id = $1 AND d.state = 'replaying'"
    f" AND {ORDER} > ($2::text, $3::integer, $4::timestamptz, $5::bigint, $6::uuid)"
)


class Replays:
    """Replays through a pool. Errors of asyncpg leave as they are."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def policy(self) -> ReplayPolicy:
        """The replay policy from dynamic configuration, or its default."""
        value = await self._pool.fetchval("SELECT value FROM dynamic_config WHERE key = 'max_poison_retries'")
        return ReplayPolicy(int(value) if value else DynamicConfig().max_poison_retries)

    async def held(self, replay_id: uuid.UUID) -> AsyncIterator[StoredLetter]:
        """The letters that this replay took and nobody has judged since, whole."""
        async with self._pool.acquire() as connection, connection.transaction(readonly=True):
            query = f"SELECT {WHOLE} {FROM} WHERE d.replay_id = $1 AND d.state = 'replaying' {BY_ORIGIN}"
            async for row in connection.cursor(query, replay_id, prefetch=20):
                yield stored_letter(row)

    async def count(self, replay: Replay, *, resumed: bool) -> int:
        """How many letters it has before it: the open ones it names and, resumed, those it took and nobody judged."""
        values = (*filter_values(replay.chosen), replay.created_at, replay.id if resumed else None)
        count: int = await self._pool.fetchval(
            f"SELECT count(*) FROM dead_letters d WHERE ({BEFORE_IT})"  # noqa: S608 - constants
            " OR (d.replay_id = $10 AND d.state = 'replaying')",
            *values,
            timeout=READ_TIMEOUT_S,
        )
        return count

    async def not_open(self, ids: Sequence[uuid.UUID]) -> list[tuple[uuid.UUID, Refusal]]:
        """Of letters named one by one those that no replay can take now, and why."""
        if not ids:
            return []
        rows = await self._pool.fetch("SELECT id, state = 'open' AS open FROM dead_letters WHERE id = ANY($1)", ids)
        open_now = {plain_uuid(row["id"]): bool(row["open"]) for row in rows}
        return [
            (letter, Refusal.NOT_OPEN if letter in open_now else Refusal.UNKNOWN)
            for letter in dict.fromkeys(ids)
            if not open_now.get(letter)
        ]

    async def recent(self, limit: int) -> list[Replay]:
        """The newest replays, newest first."""
        rows = await self._pool.fetch("SELECT * FROM replays ORDER BY created_at DESC, id LIMIT $1", limit)
        return [replay_of(row) for row in rows]

    async def begin(
        self, replay_id: uuid.UUID, actor: str, reason: str | None, chosen: LetterFilter, bounds: Bounds = UNBOUNDED
    ) -> Replay:
        """Records a replay. It means only letters that failed before now, so that it cannot chase its own failures."""
        row = await self._pool.fetchrow(
            "INSERT INTO replays (id, actor, reason, filter, most, per_second) VALUES ($1, $2, $3, $4, $5, $6)"
            " RETURNING *",
            replay_id,
            actor,
            reason,
            msgspec.json.encode(chosen).decode(),
            bounds.most,
            bounds.per_second,
        )
        return replay_of(row)

    async def replay(self, replay_id: uuid.UUID) -> Replay:
        """A recorded replay. Raises Refused when there is none of that id."""
        row = await self._pool.fetchrow("SELECT * FROM replays WHERE id = $1", replay_id)
        if row is None:
            raise Refused(f"there is no replay {replay_id}")
        return replay_of(row)

    async def unsettled(self, replay: Replay, after: Place | None, limit: int) -> Claim:
        """Letters that this replay took before and that nobody has judged since: to be sent once more."""
        values = (replay.id, *(after or START))
        async with self._pool.acquire() as connection:
            fitting = await _fitting(connection, _IN_HAND, values, limit)
            rows = await connection.fetch(
                f"SELECT {WHOLE} {FROM} WHERE {_IN_HAND} {BY_ORIGIN} LIMIT $7", *values, fitting
            )
        letters = [stored_letter(row) for row in rows]
        return Claim(letters=letters, after=place(letters[-1]) if letters else None)

    async def claim(self, replay: Replay, policy: ReplayPolicy, after: Place | None, limit: int) -> Claim:
        """Takes the next open letters in one transaction: they become `replaying`, their dead alerts `pending`.

        Letters that another replay is just taking are skipped, so no letter is taken twice.
        """
        values = (*filter_values(replay.chosen), *(after or START), replay.created_at)
        async with self._pool.acquire() as connection, connection.transaction():
            fitting = await _fitting(connection, _OPEN, values, limit)
            rows = await connection.fetch(CLAIM, *values, fitting)
            claim = _judge([stored_letter(row) for row in rows], replay.chosen, policy)
            await _take(connection, replay, claim)
        return claim

    async def mark_sent(self, replay_id: uuid.UUID, letters: Sequence[StoredLetter]) -> None:
        """Counts what the broker acknowledged. Alerts are done with it; records are judged by the match worker."""
        done = [stored.letter.id for stored in letters if stored.letter.alert_id is not None]
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(
                "UPDATE dead_letters SET state = 'replayed', replayed_at = now()"
                " WHERE id = ANY($2) AND replay_id = $1 AND state = 'replaying'",
                replay_id,
                done,
            )
            await connection.execute("UPDATE replays SET sent = sent + $2 WHERE id = $1", replay_id, len(letters))

    async def release(self, replay_id: uuid.UUID, letter_id: uuid.UUID) -> None:
        """Gives a letter back that cannot be sent; its alert is dead as before."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(
                "WITH freed AS (UPDATE dead_letters SET state = 'open'"
                " WHERE id = $2 AND replay_id = $1 AND state = 'replaying' RETURNING alert_id)"
                " UPDATE alerts SET state = 'dead', settled_at = now()"
                " FROM freed WHERE alerts.id = freed.alert_id AND alerts.state = 'pending'",
                replay_id,
                letter_id,
            )
            await connection.execute("UPDATE replays SET refused = refused + 1 WHERE id = $1", replay_id)

    async def finish(self, replay_id: uuid.UUID) -> Replay:
        """Closes the replay's record and returns it with its counts."""
        row = await self._pool.fetchrow(
            "UPDATE replays SET finished_at = coalesce(finished_at, now()) WHERE id = $1 RETURNING *", replay_id
        )
        return replay_of(row)


async def _fitting(connection: Any, condition: str, values: Sequence[Any], limit: int) -> int:
    """How many of the next letters, `limit` at most, stay within CLAIM_BYTES together; one at least."""
    sizes = await connection.fetch(
        f"SELECT {_SIZE} AS size FROM dead_letters d WHERE {condition} {BY_ORIGIN} LIMIT ${len(values) + 1}",  # noqa: S608 - constants
        *values,
        limit,
    )
    held = accumulate(row["size"] for row in sizes)
    return max(1, sum(1 for size in held if size <= CLAIM_BYTES))


async def _take(connection: Any, replay: Replay, claim: Claim) -> None:
    taken = [stored.letter.id for stored in claim.letters]
    alerts = [stored.letter.alert_id for stored in claim.letters if stored.letter.alert_id is not None]
    parked = [stored.letter.id for stored, why in claim.refused if why is Refusal.TOO_OFTEN]
    await connection.execute(
        "UPDATE dead_letters SET state = 'replaying', replay_id = $1, replays = replays + 1 WHERE id = ANY($2)",
        replay.id,
        taken,
    )
    await log_letters(connection, taken, actor=replay.actor, action="replayed", replay_id=replay.id)
    await connection.execute(
        "UPDATE alerts SET state = 'pending', settled_at = NULL, first_attempt_at = NULL"
        " WHERE id = ANY($1) AND state = 'dead'",
        alerts,
    )
    await park_letters(connection, parked, actor=replay.actor, note="replayed max_poison_retries times")
    await connection.execute(
        "UPDATE replays SET selected = selected + $2, refused = refused + $3 WHERE id = $1",
        replay.id,
        len(claim.letters) + len(claim.refused),
        len(claim.refused),
    )


def _judge(found: list[StoredLetter], chosen: LetterFilter, policy: ReplayPolicy) -> Claim:
    claim = Claim(after=place(found[-1]) if found else None)
    for stored in found:
        why = refusal(stored, chosen, policy)
        if why is None:
            claim.letters.append(stored)
        else:
            claim.refused.append((stored, why))
    return claim


def replay_of(row: Any) -> Replay:
    """The replay of a row."""
    return Replay(
        id=plain_uuid(row["id"]),
        actor=row["actor"],
        reason=row["reason"],
        chosen=msgspec.convert(json.loads(row["filter"]), LetterFilter),
        created_at=row["created_at"],
        selected=row["selected"],
        sent=row["sent"],
        refused=row["refused"],
        finished_at=row["finished_at"],
        came_back=row["came_back"],
        bounds=Bounds(row["most"], row["per_second"]),
        problem=row["problem"],
    )
