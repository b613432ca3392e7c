"""Replays by remediation: recorded like an operator's, and followed until every letter they sent is settled."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

import asyncpg
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas.dead_letters import LetterState, Reason
from schemas.errors import BrokerUnavailable
from schemas.rows import plain_uuid
from streams.adapters.dead_letters import DeadLetters
from streams.adapters.faults import store_faults
from streams.adapters.locks import lock_key, try_lock
from streams.adapters.replay_claims import Replay, Replays
from streams.adapters.replay_jobs import REPLAY_LOCK
from streams.adapters.replays import Pace, Replayer
from streams.core.remediation import ACTOR, REMEDIED, Batch, Posts
from streams.core.replay import LetterFilter, Refusal, refusal

LOOKS_AT = 1000
"""Letters looked at for one that can be sent, the newest."""

# An alert is pending from the moment of its replay until it is delivered or dead; a letter of an ingest record is
# `replaying` until a match worker has judged the record. What failed again left a letter that names the one before.
_STANDING = """
SELECT r.id,
       count(d.id) AS taken,
       count(d.id) FILTER (WHERE b.again) AS came_back,
       count(d.id) FILTER (WHERE NOT b.again AND (d.state = 'replaying' OR a.state = 'pending')) AS waiting
  FROM replays r
  LEFT JOIN dead_letters d ON d.replay_id = r.id
  LEFT JOIN alerts a ON a.id = d.alert_id
  LEFT JOIN LATERAL (
       SELECT d.state = 'open' OR EXISTS (SELECT FROM dead_letters n WHERE n.replay_of = d.id) AS again) b ON true
"""

_SETTLE = f"""
WITH standing AS ({_STANDING}
    WHERE r.actor = $1 AND r.finished_at IS NOT NULL AND r.came_back IS NULL GROUP BY r.id)
UPDATE replays r SET came_back = s.came_back FROM standing s WHERE r.id = s.id AND s.waiting = 0
"""  # noqa: S608 - constants

_LAST = """
SELECT r.id, r.came_back, extract(epoch FROM now() - r.finished_at)::float8 AS age_s,
       EXISTS (SELECT FROM config_audit c WHERE c.table_name = 'dynamic_config' AND c.object = 'remediation_enabled'
                  AND c.changed_at > r.finished_at) AS excused
  FROM replays r
 WHERE r.actor = $1 AND r.finished_at IS NOT NULL AND r.sent > 0 AND r.filter -> 'reasons' = jsonb_build_array($2::text)
 ORDER BY r.created_at DESC LIMIT 1
"""

_POSTS = """
SELECT (SELECT count(*) FROM (SELECT FROM alerts WHERE state = 'pending' AND first_attempt_at IS NOT NULL
                               ORDER BY created_at LIMIT 1000) waiting) AS failing,
       (SELECT coalesce(sum(good), 0)::bigint FROM sli
         WHERE component = 'forwarder' AND minute >= now() - interval '2 minutes') AS delivered
"""

_UNJUDGED = """
SELECT count(*) FROM replays r JOIN dead_letters d ON d.replay_id = r.id
 WHERE r.actor = $1 AND r.came_back IS NULL AND d.state = 'replaying'
"""


class RemediationReplays:
    """Implements the LetterReplays port on a pool and a started producer."""

    def __init__(self, pool: asyncpg.Pool, producer: AIOKafkaProducer) -> None:
        self._pool = pool
        self._producer = producer
        self._replays = Replays(pool)

    async def posts(self) -> Posts:
        with store_faults():
            row = await self._pool.fetchrow(_POSTS)
        assert row is not None
        return Posts(failing=row["failing"], delivered=row["delivered"])

    async def unjudged(self) -> int:
        with store_faults():
            count: int = await self._pool.fetchval(_UNJUDGED, ACTOR)
        return count

    async def has_work(self, reason: Reason) -> bool:
        chosen = LetterFilter(reasons=(reason,), states=(LetterState.OPEN,))
        with store_faults():
            policy = await self._replays.policy()
            letters = await DeadLetters(self._pool).newest(chosen, LOOKS_AT)
        return any(refusal(stored, chosen, policy) in (None, Refusal.TOO_OFTEN) for stored in letters)

    async def replay(self, reason: Reason, limit: int) -> int:
        with store_faults():
            record = await self._replays.begin(
                uuid.uuid4(), ACTOR, f"{reason}, by itself", LetterFilter(reasons=(reason,))
            )
            return await self._run(record, limit)

    async def go_on(self) -> int:
        with store_faults():
            rows = await self._pool.fetch("SELECT id FROM replays WHERE actor = $1 AND finished_at IS NULL", ACTOR)
            records = [await self._replays.replay(plain_uuid(row["id"])) for row in rows]
            return sum([await self._run(record, None) for record in records])

    async def last_batches(self) -> Mapping[Reason, Batch]:
        with store_faults():
            await self._pool.execute(_SETTLE, ACTOR)
            found = {reason: await self._last(reason) for reason in REMEDIED}
        return {reason: batch for reason, batch in found.items() if batch is not None}

    async def _run(self, record: Replay, limit: int | None) -> int:
        """Sends new letters, or where there is no limit those that the replay has taken; by one hand at a time."""
        async with try_lock(self._pool, lock_key(REPLAY_LOCK, record.id)) as ours:
            if not ours:
                return 0  # an operator resumes it just now
            replayer = Replayer(self._replays, self._producer, Pace(limit=limit))
            try:
                if limit is None:
                    await replayer.again(record, lambda _: None)
                else:
                    await replayer.run(record, await self._replays.policy(), lambda _: None)
            except KafkaError as error:
                raise BrokerUnavailable(f"Kafka: {error}") from error
            await self._replays.finish(record.id)
        return replayer.outcome.sent

    async def _last(self, reason: Reason) -> Batch | None:
        row = await self._pool.fetchrow(_LAST, ACTOR, reason.value)
        if row is None:
            return None
        stands = await self._pool.fetchrow(f"{_STANDING} WHERE r.id = $1 GROUP BY r.id", row["id"])
        assert stands is not None
        return Batch(
            replay_id=plain_uuid(row["id"]),
            taken=stands["taken"],
            came_back=stands["came_back"] if row["came_back"] is None else row["came_back"],
            waiting=stands["waiting"] if row["came_back"] is None else 0,
            age_s=row["age_s"],
            excused=row["excused"],
        )
