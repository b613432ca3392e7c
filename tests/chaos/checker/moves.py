"""A recorder inside the database: every move of a partition and every count of a change, with its transaction.

Samples see where a partition stands now and then; this sees each step, and whether a row was written by a transaction
that moved its partition over it: a fenced owner moves nothing (detectors zombie and progress).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import asyncpg

from tests.chaos.checker.evidence import Findings, Move, Partition

_INSTALL = """
CREATE SCHEMA IF NOT EXISTS checker;
CREATE TABLE IF NOT EXISTS checker.moves (
    id         bigint GENERATED ALWAYS AS IDENTITY,
    topic      text    NOT NULL,
    partition  integer NOT NULL,
    old_epoch  integer NOT NULL,
    epoch      integer NOT NULL,
    old_offset bigint  NOT NULL,
    new_offset bigint  NOT NULL,
    xid        bigint  NOT NULL,
    backend    integer NOT NULL
);
CREATE TABLE IF NOT EXISTS checker.versions (version bigint NOT NULL, xid bigint NOT NULL);
CREATE OR REPLACE FUNCTION checker.this_transaction() RETURNS bigint LANGUAGE sql AS $$
    SELECT (pg_current_xact_id()::text::numeric % 4294967296)::bigint  -- as xmin has it
$$;
CREATE OR REPLACE FUNCTION checker.note_move() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO checker.moves (topic, partition, old_epoch, epoch, old_offset, new_offset, xid, backend)
    VALUES (NEW.topic, NEW.partition, OLD.epoch, NEW.epoch, OLD.next_offset, NEW.next_offset,
            checker.this_transaction(), pg_backend_pid());
    RETURN NULL;
END $$;
CREATE OR REPLACE FUNCTION checker.note_version() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO checker.versions (version, xid) VALUES (NEW.version, checker.this_transaction());
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER checker_notes AFTER UPDATE ON partition_progress FOR EACH ROW
    WHEN (OLD.next_offset <> NEW.next_offset OR OLD.epoch <> NEW.epoch) EXECUTE FUNCTION checker.note_move();
CREATE OR REPLACE TRIGGER checker_notes AFTER UPDATE ON ruleset_version FOR EACH ROW
    EXECUTE FUNCTION checker.note_version();
"""


class Recorded(NamedTuple):
    """What the recorder has of the whole: by transaction, the last version it counted to."""

    installed: bool
    versions: dict[int, int]


async def install(dsn: str) -> None:
    """Begins to record, before any program of the product runs."""
    connection = await asyncpg.connect(dsn, timeout=30)
    try:
        await connection.execute(_INSTALL)
    finally:
        await connection.close(timeout=10)


async def read_recorded(connection: Any) -> Recorded:
    if not await connection.fetchval("SELECT to_regclass('checker.versions') IS NOT NULL"):
        return Recorded(False, {})
    rows = await connection.fetch("SELECT xid, max(version) AS version FROM checker.versions GROUP BY xid")
    return Recorded(True, {row["xid"]: row["version"] for row in rows})


async def read_moves(connection: Any, topic: str, partition: int) -> list[Move]:
    """The moves of a partition in their order: each waited for the one before, for the row is locked."""
    rows = await connection.fetch(
        "SELECT old_epoch, epoch, old_offset, new_offset, xid, backend FROM checker.moves"
        " WHERE topic = $1 AND partition = $2 ORDER BY id",
        topic,
        partition,
    )
    return [Move(*row) for row in rows]


def check_moves(part: Partition, out: Findings) -> None:
    """A place only grows, each move begins where the one before ended, and rows are written by the move over them."""
    if not part.moves:
        return
    out.saw("zombie", len(part.audit))
    out.saw("progress", len(part.moves))
    query = f"SELECT * FROM checker.moves WHERE topic = '{part.topic}' AND partition = {part.partition} ORDER BY id"
    before: Move | None = None
    for move in part.moves:
        where = f"{part.topic}:{part.partition} [{move.old}, {move.new}) by transaction {move.xid}"
        if before is not None and (move.old_epoch, move.old) != (before.epoch, before.new):
            out.wrong("progress", where, f"the move before ended at {before.new}", query)
        if move.epoch == move.old_epoch and move.new < move.old:
            out.wrong("progress", where, "fell", query)
        before = move
    if before is not None and part.standing is not None and before.new != part.standing.next_offset:
        detail = f"the last move ended at {before.new}, it stands at {part.standing.next_offset}"
        out.wrong("progress", str(part.place), detail, query)
    _written_by_a_move(part, out, query)


def _written_by_a_move(part: Partition, out: Findings, query: str) -> None:
    over: dict[int, list[Move]] = {}
    for move in part.moves:
        if move.epoch == move.old_epoch:
            over.setdefault(move.xid, []).append(move)
    recorded_from = part.moves[0].old
    for row in part.audit:
        if len(part.epochs) == 1 and row.offset < recorded_from:
            continue
        if not any(move.old <= row.offset < move.new for move in over.get(row.xid, ())):
            detail = f"written by transaction {row.xid}, which did not move the partition over it"
            out.wrong("zombie", part.at(row.offset), detail, query)
