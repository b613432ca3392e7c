"""A run of retention: works off its plan, archives before it deletes, and can die anywhere."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import itertools
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from schemas.errors import ArchiveDamaged, PartitionHalted, Refused, StoreUnavailable, TooSlow, words
from streams import crash
from streams.adapters.archives import ArchiveFolder, Manifest, Sealed
from streams.adapters.expired_rows import KEY_OF, ROWS, Rows, delete, take
from streams.adapters.retention_plan import Plan
from streams.adapters.retention_store import (
    RetentionStore,
    StoredArchive,
    mark_removed,
    mark_verified,
    span_of,
)
from streams.core.retention import Action, Kind, Part, Policies

AT_ONCE = 20_000
"""Rows that one transaction archives and deletes, where a table has no partitions."""

Tell = Callable[[int], None]
"""Is told how many rows more are archived."""
Holds = Callable[[], Awaitable[bool]]
"""Whether the lock is still ours."""

_LEAVES_THE_REST = (ArchiveDamaged, PartitionHalted, Refused, TooSlow, asyncpg.ObjectInUseError)
"""What keeps one table or partition where it is; the run goes on with the others."""

_BEGIN = "INSERT INTO retention_runs (id, actor) VALUES ($1, $2)"
_CUT_SHORT = "UPDATE retention_runs SET outcome = 'killed', finished_at = now() WHERE outcome = 'running'"
_END = "UPDATE retention_runs SET outcome = $2, rows = $3, problems = $4, finished_at = now() WHERE id = $1"


@dataclass(slots=True)
class Outcome:
    """What a run did, in its order, and what it could not do."""

    actions: list[Action] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    rows: int = 0
    """Taken out of their tables."""


class Pace:
    """At most so many rows a second, so that a disk has time for others; None: as fast as it goes."""

    def __init__(self, per_second: int | None) -> None:
        self._per_second = per_second
        self._began = time.monotonic()
        self._rows = 0

    async def after(self, rows: int) -> None:
        self._rows += rows
        if self._per_second is not None:
            due = self._began + self._rows / self._per_second
            await asyncio.sleep(max(0.0, due - time.monotonic()))


class Retention:
    """One run. Whoever calls holds the lock, so that there is no other."""

    def __init__(
        self, store: RetentionStore, folder: ArchiveFolder, rules: Policies, now: dt.datetime, *, holds: Holds
    ) -> None:
        self._store = store
        self._folder = folder
        self._rules = rules
        self._now = now
        self._holds = holds
        self._pace = Pace(None)
        self._tell: Tell = lambda _: None
        self._outcome = Outcome()

    async def run(self, plan: Plan, actor: str, tell: Tell, *, per_second: int | None = None) -> Outcome:
        """Works off the plan, recorded. Raises OSError, asyncpg's errors, and StoreUnavailable."""
        self._tell, self._pace = tell, Pace(per_second)
        self._outcome = Outcome(problems=list(plan.problems))
        run = uuid.uuid4()
        await self._store.pool.execute(_CUT_SHORT)
        await self._store.pool.execute(_BEGIN, run, actor)
        try:
            await self._work_off(plan)
        except Exception as error:
            self._outcome.problems.append(words(error))
            with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                await self._end(run)
            raise
        await self._end(run)
        return self._outcome

    async def _end(self, run: uuid.UUID) -> None:
        done = self._outcome
        await self._store.pool.execute(_END, run, "failed" if done.problems else "done", done.rows, done.problems)

    async def _work_off(self, plan: Plan) -> None:
        failed: set[str] = set()
        for action in plan.actions:
            if action.what in failed:
                continue
            if not await self._holds():
                raise StoreUnavailable("PostgreSQL: the connection that holds the lock of retention is gone; run again")
            try:
                self._outcome.actions.append(await self._do(action))
            except _LEAVES_THE_REST as error:
                failed.add(action.what)
                self._outcome.problems.append(f"{action.do} {action.what}: {error}")

    async def _do(self, action: Action) -> Action:
        """Does it; returns what was done."""
        if action.do == "keep":
            return action
        done: Mapping[str, Callable[[str], Awaitable[int | None]]] = {
            "create": self._create,
            "discard": self._discard,
            "archive": self._archive_part,
            "detach": self._detach,
            "drop": self._drop,
            "delete": self._delete,
            "forget": self._forget,
        }
        rows = await done[action.do](action.what)
        return action if rows is None else dataclasses.replace(action, rows=rows)

    async def _create(self, name: str) -> None:
        try:
            await self._store.create(dt.date(int(name[6:10]), int(name[11:13]), 1))
        except asyncpg.CheckViolationError:
            raise Refused("audit_default holds rows of that month") from None

    async def _discard(self, name: str) -> None:
        self._folder.discard(name)
        await self._store.abandon((await self._named(name)).id)

    async def _archive_part(self, name: str) -> int:
        [part] = [part for part in await self._store.parts() if part.name == name]
        archive = await self._store.begin(name, Kind.AUDIT, name)
        sealed = await self._write(part)
        crash.here("archive_named")
        manifest = await self._describe(name, Kind.AUDIT, sealed, (part.low, part.high))
        crash.here("archive_described")
        self._folder.verify(manifest)
        async with self._store.pool.acquire() as connection:
            await mark_verified(connection, archive, manifest, (part.low, part.high), deletes=False)
        crash.here("archive_verified")
        return manifest.rows

    async def _write(self, part: Part) -> Sealed:
        with self._folder.writer(part.name) as writer:
            async for lines in self._store.lines(part.name):
                writer.add(lines)
                crash.here("archive_growing")
                self._tell(len(lines))
                await self._pace.after(len(lines))
            return writer.seal()

    async def _describe(self, name: str, kind: Kind, sealed: Sealed, span: tuple[dt.datetime, dt.datetime]) -> Manifest:
        """Puts the manifest of a file that is in its place beside it."""
        first, last = sealed.ends(KEY_OF[kind])
        manifest = Manifest(
            name=name,
            kind=kind,
            part=name if kind is Kind.AUDIT else None,
            schema_version=await self._store.schema_version(),
            columns=await self._store.columns(kind),
            rows=sealed.rows,
            first_key=first,
            last_key=last,
            low=span[0].isoformat(),
            high=span[1].isoformat(),
            bytes=sealed.size,
            sha256=sealed.sha256,
            content_sha256=sealed.content_sha256,
            created_at=self._now.isoformat(),
        )
        self._folder.describe(manifest)
        return manifest

    async def _detach(self, name: str) -> None:
        archive = await self._named(name)
        try:
            await self._store.detach(archive)
        except asyncpg.IntegrityConstraintViolationError as error:
            await self._store.reopen(archive.id)
            raise Refused(f"{error}; it is archived anew by the next run") from None
        self._outcome.rows += archive.rows or 0
        crash.here("part_detached")

    async def _drop(self, name: str) -> None:
        await self._store.drop(await self._named(name))
        crash.here("part_dropped")

    async def _forget(self, name: str) -> None:
        archive = await self._named(name)
        self._folder.discard(name)
        crash.here("archive_discarded")
        await self._store.forget(archive)

    async def _named(self, name: str) -> StoredArchive:
        [archive] = [archive for archive in await self._store.archives() if archive.name == name]
        return archive

    async def _delete(self, kind: str) -> int:
        """Takes out all rows of a table that go, in pieces. How many there were."""
        [rows] = [rows for rows in ROWS if rows.kind == kind]
        cutoff, total = self._rules.cutoff(rows.kind, self._now), 0
        for number in itertools.count():
            done = await self._piece(rows, cutoff, f"{rows.kind}_{self._now:%Y%m%dt%H%M%S%fz}_{number:04}")
            total += done
            if done < AT_ONCE:
                return total
        raise AssertionError("itertools.count never ends")

    async def _piece(self, rows: Rows, cutoff: dt.datetime, name: str) -> int:
        """Archives the oldest rows that go and deletes them, in one transaction. How many there were."""
        archive = await self._store.begin(name, rows.kind)
        async with self._store.pool.acquire() as connection, connection.transaction():
            found = await take(connection, rows, cutoff, AT_ONCE)
            if found:
                await self._take_out(connection, rows, found, archive, name)
        if not found:
            await self._store.abandon(archive)
        crash.here("rows_deleted")
        self._outcome.rows += len(found)
        return len(found)

    async def _take_out(self, connection: Any, rows: Rows, found: list[Any], archive: uuid.UUID, name: str) -> None:
        span = span_of(found)
        with self._folder.writer(name) as writer:
            writer.add([row["line"] for row in found])
            sealed = writer.seal()
        manifest = await self._describe(name, rows.kind, sealed, span)
        self._folder.verify(manifest)
        await mark_verified(connection, archive, manifest, span, deletes=True)
        crash.here("rows_archived")
        await connection.execute("SELECT set_config('mutt.archive', $1, true)", str(archive))
        await delete(connection, rows, [row["place"] for row in found])
        await mark_removed(connection, archive)
        self._tell(len(found))
        await self._pace.after(len(found))
