"""The table dead_letters: what operators list and replay, and what the index agent fills."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import msgspec

from schemas.config import DynamicConfig
from schemas.dead_letters import DeadLetter, LetterState
from schemas.errors import Refused
from schemas.rows import DEAD_LETTERS, EPOCH, instant, letter_row, plain_uuid, row_letter
from streams.adapters.faults import store_faults
from streams.core.replay import LetterFilter, Refusal, ReplayPolicy, StoredLetter, refusal

_FACTS = """
    d.id, d.reason, d.detail, d.topic, d.partition, d."offset", d.broker_time, d.hostname, d.rule_id, d.alert_id,
    d.state, d.attempts, d.replays, d.replay_id, d.first_failed_at, d.last_failed_at, d.replayed_at, d.published_at,
    octet_length(d.value) AS value_size, a.id IS NOT NULL AS has_alert"""
_WHOLE = _FACTS + ", d.key, d.value, d.header_names, d.header_values"
_FROM = "FROM dead_letters d LEFT JOIN alerts a ON a.id = d.alert_id"
_MATCHES = """
    (cardinality($1::text[]) = 0 OR d.reason = ANY($1)) AND (cardinality($2::text[]) = 0 OR d.stage = ANY($2))
    AND (cardinality($3::text[]) = 0 OR d.hostname = ANY($3)) AND (cardinality($4::text[]) = 0 OR d.topic = ANY($4))
    AND (cardinality($5::uuid[]) = 0 OR d.id = ANY($5)) AND (cardinality($6::text[]) = 0 OR d.state = ANY($6))
    AND ($7::timestamptz IS NULL OR d.first_failed_at >= $7) AND ($8::timestamptz IS NULL OR d.first_failed_at < $8)"""
_ORDER = '(d.topic, d.partition, d.broker_time, d."offset", d.id)'
_AFTER = f"{_ORDER} > ($9::text, $10::integer, $11::timestamptz, $12::bigint, $13::uuid)"
_BY_ORIGIN = 'ORDER BY d.topic, d.partition, d.broker_time, d."offset", d.id'
_START = ("", -1, EPOCH, -1, uuid.UUID(int=0))

Place = tuple[str, int, dt.datetime, int, uuid.UUID]
"""Where a letter stands in the order of replay: of its origin, so that records of one key stay in order."""

_COLUMNS = (*DEAD_LETTERS, "published_at")
_INSERT = (
    "INSERT INTO dead_letters ("  # noqa: S608 - constants
    + ", ".join(f'"{name}"' for name in _COLUMNS)
    + ") VALUES ("
    + ", ".join(f"${n}" for n in range(1, len(_COLUMNS) + 1))
    + ") ON CONFLICT (id) DO NOTHING"
)


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


@dataclass(slots=True)
class Claim:
    """The next letters of a replay: those to send, those refused and why, and where to go on (None: at the end)."""

    letters: list[StoredLetter] = field(default_factory=list)
    refused: list[tuple[StoredLetter, Refusal]] = field(default_factory=list)
    after: Place | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """How many letters share a stage, a reason and a state, and since when."""

    stage: str
    reason: str
    state: str
    letters: int
    oldest: dt.datetime
    newest: dt.datetime


class DeadLetters:
    """The table through a pool. Raises StoreUnavailable where PostgreSQL is away; the caller retries."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def insert_absent(self, letters: Sequence[DeadLetter], published_at: dt.datetime) -> int:
        """Inserts the letters that are not there yet by id, as already on the topic. Returns how many that were."""
        with store_faults():
            ids = [letter.id for letter in letters]
            there = {row["id"] for row in await self._pool.fetch("SELECT id FROM dead_letters WHERE id = ANY($1)", ids)}
            absent = {letter.id: letter for letter in letters if letter.id not in there}
            if absent:
                await self._pool.executemany(
                    _INSERT, [(*letter_row(letter), published_at) for letter in absent.values()]
                )
            return len(absent)

    async def counts(self, chosen: LetterFilter) -> list[Count]:
        rows = await self._pool.fetch(
            "SELECT stage, reason, state, count(*) AS letters, min(first_failed_at) AS oldest,"  # noqa: S608 - constants
            f" max(first_failed_at) AS newest FROM dead_letters d WHERE {_MATCHES}"
            " GROUP BY stage, reason, state ORDER BY letters DESC, reason, state",
            *_values(chosen),
        )
        return [Count(**row) for row in rows]

    async def newest(self, chosen: LetterFilter, limit: int) -> list[StoredLetter]:
        """The letters that failed last, without key, value and headers."""
        rows = await self._pool.fetch(
            f"SELECT {_FACTS} {_FROM} WHERE {_MATCHES} ORDER BY d.first_failed_at DESC, d.id LIMIT $9",
            *_values(chosen),
            limit,
        )
        return [_stored(row) for row in rows]

    async def get(self, letter_id: uuid.UUID) -> StoredLetter | None:
        row = await self._pool.fetchrow(f"SELECT {_WHOLE} {_FROM} WHERE d.id = $1", letter_id)
        return _stored(row) if row else None

    async def policy(self) -> ReplayPolicy:
        """The replay policy from dynamic configuration, or its default."""
        value = await self._pool.fetchval("SELECT value FROM dynamic_config WHERE key = 'max_poison_retries'")
        return ReplayPolicy(int(value) if value else DynamicConfig().max_poison_retries)

    async def candidates(self, chosen: LetterFilter) -> AsyncIterator[StoredLetter]:
        """Every letter the filter means, in the order of replay, without key, value and headers. Locks nothing."""
        async with self._pool.acquire() as connection, connection.transaction(readonly=True):
            query = f"SELECT {_FACTS} {_FROM} WHERE {_MATCHES} {_BY_ORIGIN}"
            async for row in connection.cursor(query, *_values(chosen), prefetch=500):
                yield _stored(row)

    async def held(self, replay_id: uuid.UUID) -> AsyncIterator[StoredLetter]:
        """The letters that this replay took and nobody has judged since, without key, value and headers."""
        async with self._pool.acquire() as connection, connection.transaction(readonly=True):
            query = f"SELECT {_FACTS} {_FROM} WHERE d.replay_id = $1 AND d.state = 'replaying' {_BY_ORIGIN}"
            async for row in connection.cursor(query, replay_id, prefetch=500):
                yield _stored(row)

    async def begin(self, replay_id: uuid.UUID, actor: str, reason: str | None, chosen: LetterFilter) -> Replay:
        """Records a replay. It means only letters that failed before now, so that it cannot chase its own failures."""
        row = await self._pool.fetchrow(
            "INSERT INTO replays (id, actor, reason, filter) VALUES ($1, $2, $3, $4) RETURNING *",
            replay_id,
            actor,
            reason,
            msgspec.json.encode(chosen).decode(),
        )
        return _replay(row)

    async def replay(self, replay_id: uuid.UUID) -> Replay:
        """A recorded replay. Raises Refused when there is none of that id."""
        row = await self._pool.fetchrow("SELECT * FROM replays WHERE id = $1", replay_id)
        if row is None:
            raise Refused(f"there is no replay {replay_id}")
        return _replay(row)

    async def unsettled(self, replay: Replay, after: Place | None, limit: int) -> Claim:
        """Letters that this replay took before and that nobody has judged since: to be sent once more."""
        rows = await self._pool.fetch(
            f"SELECT {_WHOLE} {_FROM} WHERE d.replay_id = $1 AND d.state = 'replaying'"
            f" AND {_ORDER} > ($2::text, $3::integer, $4::timestamptz, $5::bigint, $6::uuid) {_BY_ORIGIN} LIMIT $7",
            replay.id,
            *(after or _START),
            limit,
        )
        letters = [_stored(row) for row in rows]
        return Claim(letters=letters, after=_place(letters[-1]) if letters else None)

    async def claim(self, replay: Replay, policy: ReplayPolicy, after: Place | None, limit: int) -> Claim:
        """Takes the next open letters in one transaction: they become `replaying`, their dead alerts `pending`.

        Letters that another replay is just taking are skipped, so no letter is taken twice.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(
                f"SELECT {_WHOLE} {_FROM} WHERE {_MATCHES} AND {_AFTER} AND d.state = 'open'"
                f" AND d.first_failed_at < $14 {_BY_ORIGIN} LIMIT $15 FOR UPDATE OF d SKIP LOCKED",
                *_values(replay.chosen),
                *(after or _START),
                replay.created_at,
                limit,
            )
            claim = _judge([_stored(row) for row in rows], replay.chosen, policy)
            await _take(connection, replay.id, claim)
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
        return _replay(row)

    async def origin_of(
        self, topic: str, partition: int, offset: int, alerts: Sequence[uuid.UUID] = ()
    ) -> list[StoredLetter]:
        """The letters of one record and of these alerts, without key, value and headers."""
        rows = await self._pool.fetch(
            f'SELECT {_FACTS} {_FROM} WHERE (d.topic = $1 AND d.partition = $2 AND d."offset" = $3)'
            " OR d.alert_id = ANY($4) ORDER BY d.first_failed_at, d.id",
            topic,
            partition,
            offset,
            alerts,
        )
        return [_stored(row) for row in rows]


async def _take(connection: Any, replay_id: uuid.UUID, claim: Claim) -> None:
    taken = [stored.letter.id for stored in claim.letters]
    alerts = [stored.letter.alert_id for stored in claim.letters if stored.letter.alert_id is not None]
    parked = [stored.letter.id for stored, why in claim.refused if why is Refusal.TOO_OFTEN]
    await connection.execute(
        "UPDATE dead_letters SET state = 'replaying', replay_id = $1, replays = replays + 1 WHERE id = ANY($2)",
        replay_id,
        taken,
    )
    await connection.execute(
        "UPDATE alerts SET state = 'pending', settled_at = NULL, first_attempt_at = NULL"
        " WHERE id = ANY($1) AND state = 'dead'",
        alerts,
    )
    await connection.execute("UPDATE dead_letters SET state = 'parked' WHERE id = ANY($1)", parked)
    await connection.execute(
        "UPDATE replays SET selected = selected + $2, refused = refused + $3 WHERE id = $1",
        replay_id,
        len(claim.letters) + len(claim.refused),
        len(claim.refused),
    )


def _judge(found: list[StoredLetter], chosen: LetterFilter, policy: ReplayPolicy) -> Claim:
    claim = Claim(after=_place(found[-1]) if found else None)
    for stored in found:
        why = refusal(stored, chosen, policy)
        if why is None:
            claim.letters.append(stored)
        else:
            claim.refused.append((stored, why))
    return claim


def _place(stored: StoredLetter) -> Place:
    letter = stored.letter
    return letter.topic, letter.partition, instant(letter.timestamp), letter.offset, letter.id


def _values(chosen: LetterFilter) -> tuple[Any, ...]:
    return (
        [reason.value for reason in chosen.reasons],
        [stage.value for stage in chosen.stages],
        list(chosen.hosts),
        list(chosen.topics),
        list(chosen.ids),
        [state.value for state in chosen.states],
        chosen.since,
        chosen.until,
    )


def _stored(row: Any) -> StoredLetter:
    return StoredLetter(
        letter=row_letter(row),
        state=LetterState(row["state"]),
        replay_id=row["replay_id"] and plain_uuid(row["replay_id"]),
        replayed_at=row["replayed_at"],
        published_at=row["published_at"],
        has_alert=row["has_alert"],
        value_size=row["value_size"],
    )


def _replay(row: Any) -> Replay:
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
    )
