"""What an operator does to dead letters beside replaying them: park, unpark, edit, purge. All of it is recorded."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any, Protocol

import asyncpg
import msgspec

from schemas.dead_letters import LetterState
from schemas.errors import Outdated, Refused
from streams import crash
from streams.adapters.letter_filters import BY_ORIGIN, FROM, MATCHES, WHOLE, filter_values, stored_letter
from streams.core.letter_edit import difference, refuse_edit
from streams.core.replay import LetterFilter, StoredLetter, current_value

BULK_TIMEOUT_S = 300.0
"""Bound on a statement that changes every letter of a filter."""
PURGEABLE = (LetterState.OPEN, LetterState.PARKED, LetterState.REPLAYED)
"""A letter that is just being replayed is left alone."""

_PARK = f"""
WITH chosen AS (
    UPDATE dead_letters d SET state = 'parked', parked_at = now(), parked_published_at = NULL
     WHERE {MATCHES} AND d.state = 'open' RETURNING d.id)
INSERT INTO letter_log (letter_id, actor, action, note) SELECT id, $9, 'parked', $10 FROM chosen
"""  # noqa: S608 - constants

# Its count of replays begins anew: the operator says that the cause is gone.
_UNPARK = f"""
WITH chosen AS (
    UPDATE dead_letters d SET state = 'open', parked_at = NULL, parked_published_at = NULL, replays = 0
     WHERE {MATCHES} AND d.state = 'parked' RETURNING d.id)
INSERT INTO letter_log (letter_id, actor, action, note) SELECT id, $9, 'unparked', $10 FROM chosen
"""  # noqa: S608 - constants

# The row stays, so that the ledger adds up; of a batch beyond all bounds the detail says which offsets it stands for.
_PURGE = f"""
WITH chosen AS (
    UPDATE dead_letters d
       SET state = 'purged', key = NULL, value = NULL, edited_value = NULL, header_names = '{{}}',
           header_values = '{{}}', hostname = NULL, detail = CASE WHEN d.reason = 'too_large' THEN d.detail ELSE '' END,
           published_at = coalesce(d.published_at, now())
     WHERE {MATCHES} RETURNING d.id),
forgotten AS (
    UPDATE letter_log l SET value = NULL, diff = NULL FROM chosen WHERE l.letter_id = chosen.id AND l.action = 'edited')
INSERT INTO letter_log (letter_id, actor, action, note) SELECT id, $9, 'purged', $10 FROM chosen
"""  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class Archive:
    """Where purged letters went."""

    path: str
    sha256: str


class Keeper(Protocol):
    """Writes letters to a file, and seals it: after `seal` they are safe on the disk. Raises OSError."""

    def keep(self, stored: StoredLetter) -> None: ...

    def seal(self) -> Archive: ...


class LetterDesk:
    """Changes to the table by hand. `actor` and `note` say who and why. Errors of asyncpg leave as they are."""

    def __init__(self, pool: asyncpg.Pool, *, actor: str, note: str | None = None) -> None:
        self._pool = pool
        self._actor = actor
        self._note = note

    async def count(self, chosen: LetterFilter, *states: LetterState) -> int:
        """How many letters the filter names in these states."""
        return await count_letters(self._pool, chosen, *states)

    async def park(self, chosen: LetterFilter) -> int:
        """Parks the open letters of the filter: nothing but a hand takes them out again."""
        return await self._change(chosen, back=False)

    async def unpark(self, chosen: LetterFilter) -> int:
        """Opens the parked letters of the filter; their count of replays begins anew."""
        return await self._change(chosen, back=True)

    async def edit(self, seen: StoredLetter, value: bytes) -> str:
        """Replaces what a replay sends; the original stays. Returns the difference.

        Raises Refused when the letter cannot be edited, Outdated when another hand was faster.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            diff = await edit_letter(connection, seen, value, actor=self._actor, note=self._note)
            crash.here("letter_edited")
        crash.here("edit_committed")
        return diff

    async def purge(self, chosen: LetterFilter, expected: int, keeper: Keeper) -> Archive:
        """Takes the letters' bytes out of the table once they are in the archive; all of them or none.

        Raises Refused when there are not `expected` letters, Outdated when one changed meanwhile: nothing is purged.
        """
        purge_id, named = uuid.uuid4(), _in(chosen, PURGEABLE)
        try:
            async with (
                self._pool.acquire() as connection,
                connection.transaction(isolation="repeatable_read"),
            ):
                archive = await _archived(connection, named, expected, keeper)
                crash.here("purge_archived")
                await self._empty(connection, purge_id, named, expected, archive)
        except asyncpg.SerializationError:
            raise Outdated("a letter changed while it was archived; nothing was purged") from None
        return archive

    async def _empty(
        self, connection: Any, purge_id: uuid.UUID, named: LetterFilter, expected: int, archive: Archive
    ) -> None:
        values = filter_values(named)
        await connection.execute(_PURGE, *values, self._actor, f"purge {purge_id}", timeout=BULK_TIMEOUT_S)
        await connection.execute(
            "INSERT INTO purges (id, actor, note, filter, archive, sha256, letters)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7)",
            purge_id,
            self._actor,
            self._note,
            msgspec.json.encode(named).decode(),
            archive.path,
            archive.sha256,
            expected,
        )

    async def _change(self, chosen: LetterFilter, *, back: bool) -> int:
        return await park_letters(self._pool, chosen, back=back, actor=self._actor, note=self._note)


async def edit_letter(connection: Any, seen: StoredLetter, value: bytes, *, actor: str, note: str | None) -> str:
    """Within a transaction. Returns the difference. Raises Refused, or Outdated."""
    query = f"SELECT {WHOLE} {FROM} WHERE d.id = $1 FOR UPDATE OF d"
    stored = stored_letter(await connection.fetchrow(query, seen.letter.id))
    if why := refuse_edit(stored):
        raise Refused(f"letter {stored.letter.id} cannot be edited: {why}")
    if stored.edits != seen.edits:
        raise Outdated(f"letter {stored.letter.id} was edited by another hand meanwhile; look at it again")
    diff = difference(current_value(stored), value)
    await connection.execute(
        "UPDATE dead_letters SET edited_value = $2, edits = edits + 1 WHERE id = $1", stored.letter.id, value
    )
    await connection.execute(
        "INSERT INTO letter_log (letter_id, actor, action, note, value, diff) VALUES ($1, $2, 'edited', $3, $4, $5)",
        stored.letter.id,
        actor,
        note,
        value,
        diff.replace("\0", "\u2400"),
    )
    return diff


async def count_letters(connection: Any, chosen: LetterFilter, *states: LetterState) -> int:
    """How many letters the filter names in these states."""
    query = f"SELECT count(*) FROM dead_letters d WHERE {MATCHES}"  # noqa: S608 - constants
    count: int = await connection.fetchval(query, *filter_values(_in(chosen, states)), timeout=BULK_TIMEOUT_S)
    return count


async def park_letters(connection: Any, chosen: LetterFilter, *, back: bool, actor: str, note: str | None) -> int:
    """Parks the open letters of the filter, or opens its parked ones (`back`). Returns how many."""
    values = (*filter_values(chosen), actor, note)
    done: str = await connection.execute(_UNPARK if back else _PARK, *values, timeout=BULK_TIMEOUT_S)
    return int(done.split()[-1])


async def _archived(connection: Any, named: LetterFilter, expected: int, keeper: Keeper) -> Archive:
    query = f"SELECT {WHOLE} {FROM} WHERE {MATCHES} {BY_ORIGIN} FOR UPDATE OF d"
    found = 0
    async for row in connection.cursor(query, *filter_values(named), prefetch=20, timeout=BULK_TIMEOUT_S):
        found += 1
        if found > expected:
            break
        keeper.keep(stored_letter(row))
    if found != expected:
        raise Refused(f"there are {'more' if found > expected else found} letters, not {expected}; nothing was purged")
    return keeper.seal()


def _in(chosen: LetterFilter, states: tuple[LetterState, ...]) -> LetterFilter:
    """The filter within these states; its own narrow them further. Raises Refused when nothing is left."""
    wanted = tuple(state for state in states if not chosen.states or state in chosen.states)
    if not wanted:
        raise Refused(f"only letters that are {', '.join(states)} can be meant here, not {', '.join(chosen.states)}")
    return msgspec.structs.replace(chosen, states=wanted)
