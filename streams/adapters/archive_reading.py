"""Archives looked at again: all of them verified against the database, and one put back into a side table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import asyncpg

from schemas.errors import AlreadyThere, ArchiveDamaged, NotFound
from streams.adapters.archives import SIDE, ArchiveFolder, Manifest
from streams.adapters.database_roles import become_owner
from streams.adapters.expired_rows import LONG_S
from streams.adapters.retention_store import RetentionStore, StoredArchive

AT_ONCE = 2000
"""Rows put back by one statement."""
INDEXES = {
    "audit": (
        "(hostname, broker_time)",
        "(disposition, broker_time)",
        "(rule_id, broker_time) WHERE rule_id IS NOT NULL",
    ),
    "alerts": ("(hostname, broker_time)",),
    "dead_letters": ("(hostname, broker_time)",),
}
"""By which columns a side table is searched; the audit's by those that the API searches it by."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One archive; `problem` is None where it is whole."""

    name: str
    rows: int | None
    problem: str | None = None


def whole(folder: ArchiveFolder, archive: StoredArchive) -> Manifest:
    """Reads an archive's files, all of them. Raises ArchiveDamaged where they are not what the database knows."""
    manifest = folder.manifest(archive.name)
    known = archive.name, archive.kind, archive.rows, archive.bytes, archive.sha256, archive.content_sha256
    told = manifest.name, manifest.kind, manifest.rows, manifest.bytes, manifest.sha256, manifest.content_sha256
    if known != told:
        raise ArchiveDamaged(
            f"the manifest of {archive.name} is not the one that was written: the database knows others"
        )
    folder.verify(manifest)
    return manifest


async def verify(store: RetentionStore, folder: ArchiveFolder, names: list[str]) -> tuple[list[Verdict], list[str]]:
    """Verdicts on these archives, or all; and names of files in the folder that the database does not know.

    Raises NotFound where a name is none.
    """
    archives = await store.archives("verified", "detached", "removed")
    if unknown := set(names) - {archive.name for archive in archives}:
        raise NotFound([f"there is no archive {name}" for name in sorted(unknown)])
    chosen = [archive for archive in archives if not names or archive.name in names]
    strangers = folder.names() - {archive.name for archive in await store.archives()}
    return [_verdict(folder, archive) for archive in chosen], sorted(strangers) if not names else []


def _verdict(folder: ArchiveFolder, archive: StoredArchive) -> Verdict:
    try:
        whole(folder, archive)
    except ArchiveDamaged as damaged:
        return Verdict(archive.name, archive.rows, str(damaged))
    return Verdict(archive.name, archive.rows)


async def restore(store: RetentionStore, folder: ArchiveFolder, name: str, tell: Callable[[int], None]) -> str:
    """Puts the rows of an archive into a table beside the others; returns its name. All of them or none.

    Raises NotFound, ArchiveDamaged, AlreadyThere.
    """
    archive = next(
        (each for each in await store.archives("verified", "detached", "removed") if each.name == name), None
    )
    if archive is None:
        raise NotFound(f"there is no archive {name}")
    manifest = whole(folder, archive)
    table = SIDE + name
    try:
        await _fill(store, folder, manifest, table, tell)
    except asyncpg.DuplicateTableError:
        raise AlreadyThere(f"{table} is there already; drop it first: mutt retention restore {name} --drop") from None
    return table


async def _fill(
    store: RetentionStore, folder: ArchiveFolder, manifest: Manifest, table: str, tell: Callable[[int], None]
) -> None:
    async with store.pool.acquire() as connection, connection.transaction():
        await become_owner(connection, local=True)
        await connection.execute(f"CREATE TABLE {table} AS SELECT * FROM {manifest.kind} WITH NO DATA")  # noqa: S608 - names that the database checked
        text = f"INSERT INTO {table} SELECT * FROM json_populate_recordset(NULL::{table}, $1)"  # noqa: S608 - names that the database checked
        for lines in _pieces(folder.lines(manifest.name)):
            await connection.execute(text, f"[{','.join(lines)}]", timeout=LONG_S)
            tell(len(lines))
        rows = await connection.fetchval(f"SELECT count(*) FROM {table}", timeout=LONG_S)  # noqa: S608 - names that the database checked
        if rows != manifest.rows:
            raise ArchiveDamaged(f"{manifest.name} gave {rows} rows, not {manifest.rows}")
        for columns in INDEXES.get(manifest.kind, ()):
            await connection.execute(f"CREATE INDEX ON {table} {columns}", timeout=LONG_S)
        await connection.execute("SELECT share_reads('audit', $1::text::regclass)", table)


def _pieces(lines: Iterator[bytes]) -> Iterator[list[str]]:
    while piece := [line.decode() for line in islice(lines, AT_ONCE)]:
        yield piece


async def unrestore(store: RetentionStore, name: str) -> str:
    """Drops the side table of an archive; returns its name. Raises NotFound."""
    table = SIDE + name
    known = {archive.name for archive in await store.archives()}
    if name not in known or await store.pool.fetchval("SELECT to_regclass($1) IS NULL", table):
        raise NotFound(f"there is no table {table}")
    async with store.pool.acquire() as connection, connection.transaction():
        await become_owner(connection, local=True)
        await connection.execute(f"DROP TABLE {table}")
    return table
