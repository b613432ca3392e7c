"""Bugs in the transaction of a batch: the compare-and-set, what belongs into it, and what it counts."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import asyncpg
from msgspec.structs import replace

from schemas.events import Disposition
from schemas.rows import AUDIT, DEAD_LETTERS, letter_row
from streams import crash
from streams.adapters import batches
from streams.adapters.batches import PostgresBatchStore
from streams.adapters.faults import store_faults
from streams.agents import match_lane
from streams.core.progress import Progress
from streams.core.work import Decided, Work
from tests.planted.patches import Collection, Patches

BUGS = Collection()

COMPARED = " AND next_offset = $4 AND halted_at IS NULL\n    RETURNING next_offset"
COUNTED = "WHERE EXISTS (SELECT FROM advanced)\n    ON CONFLICT (component"


def _instead(patches: Patches, old: str, new: str) -> None:
    """Replaces a part of the statements that keep the books. AssertionError where they are not as the bug supposes."""
    for name in ("BOOKS", "WHOLE"):
        text: str = getattr(batches, name)
        assert text.count(old) == 1, f"not once in {name}: {old}"
        patches.replace(batches, name, text.replace(old, new))


def _by_parts(patches: Patches) -> None:
    """Every batch is written table by table, however small it is."""
    patches.replace(batches, "is_small", lambda _: False)


@BUGS.bug(3, "progress is set without being compared", "ledger", "twice", "lost", "stuck", scenario="two_owners")
def no_compare_and_set(patches: Patches) -> None:
    _instead(patches, COMPARED, COMPARED.replace(" AND next_offset = $4", ""))


@BUGS.bug(4, "the compare-and-set is committed by itself, before the rows", "ledger", "lost", scenario="cut_in_commit")
def compare_and_set_alone(patches: Patches) -> None:
    write = batches._write

    class Alone:
        """The connection, on which the books have a transaction of their own."""

        def __init__(self, connection: Any) -> None:
            self._connection = connection

        def __getattr__(self, name: str) -> Any:
            return getattr(self._connection, name)

        async def fetchval(self, *arguments: Any) -> Any:
            answer = await self._connection.fetchval(*arguments)
            await self._connection.execute("COMMIT; BEGIN")
            return answer

    async def _write(connection: Any, *arguments: Any) -> int | None:
        return await write(Alone(connection), *arguments)

    _by_parts(patches)
    patches.replace(batches, "_write", _write)


@BUGS.bug(9, "a gap in the log is passed over, and recorded nowhere", "ledger", scenario="meddled")
def gap_not_recorded(patches: Patches) -> None:
    decide = match_lane.decide

    def decide_what_is_there(work: Work) -> Decided:
        return decide(replace(work, first=work.records[0].offset) if work.records else work)

    patches.replace(match_lane, "decide", decide_what_is_there)
    _instead(patches, COMPARED, COMPARED.replace("= $4", "<= $4"))


@BUGS.bug(12, "the counters are moved in a transaction of their own", "counters", scenario="cut_in_commit")
def counters_outside(patches: Patches) -> None:
    commit = PostgresBatchStore.commit

    async def count_and_commit(self: PostgresBatchStore, decided: Decided, progress: Progress) -> Progress:
        work, good = decided.work, decided.good
        counts = {
            "ingestor": (good, good + decided.our_failures),
            "audit": (work.after - work.first - decided.missing, work.after - work.first),
        }
        with store_faults():
            for component, count in counts.items():
                await self._pool.execute(_COUNT, component, work.topic.name, work.partition, work.now, *count)
        return await commit(self, decided, progress)

    _instead(patches, COUNTED, COUNTED.replace("\n", " AND false\n", 1))
    patches.replace(PostgresBatchStore, "commit", count_and_commit)


_COUNT = """
INSERT INTO sli (component, topic, partition, minute, good, total)
VALUES ($1, $2, $3, date_trunc('minute', $4::timestamptz), $5, $6)
ON CONFLICT (component, topic, partition, minute)
DO UPDATE SET good = sli.good + excluded.good, total = sli.total + excluded.total
"""


@BUGS.bug(13, "a dead letter that cannot be written is passed over", "ledger", scenario="bumpy")
def letter_error_swallowed(patches: Patches) -> None:
    write = batches._write

    async def _write(connection: Any, decided: Decided, *arguments: Any) -> int | None:
        letters, decided.letters = decided.letters, []
        try:
            done = await write(connection, decided, *arguments)
        finally:
            decided.letters = letters
        with suppress(asyncpg.PostgresError):
            async with connection.transaction():
                rows = [letter_row(letter) for letter in letters]
                await connection.copy_records_to_table("dead_letters", records=rows, columns=DEAD_LETTERS)
        return done

    patches.replace(batches, "_write", _write)


@BUGS.bug(26, "each record is committed by itself, the books at the end", "ledger", "stuck", "lost", "twice",
          scenario="cut_in_commit", stalls=True)  # fmt: skip
def commit_per_record(patches: Patches) -> None:
    write = batches._write

    async def _write(connection: Any, decided: Decided, *arguments: Any) -> int | None:
        rows, decided.audit = decided.audit, []
        for row in rows:
            await connection.copy_records_to_table("audit", records=[row], columns=AUDIT)
            await connection.execute("COMMIT; BEGIN")
        crash.here("audit_copied")
        done = await write(connection, decided, *arguments)
        await connection.execute(
            _AUDITED, decided.work.topic.name, decided.work.partition, decided.work.after, len(rows)
        )
        decided.audit = rows
        return done

    _by_parts(patches)
    patches.replace(batches, "_write", _write)


_AUDITED = "UPDATE ledger SET audited = audited + $4 WHERE topic = $1 AND partition = $2 AND next_offset = $3"


@BUGS.bug(27, "what the producer's fault is counts as our failure", "counters", scenario="bumpy", histories=False)
def producers_faults_counted(patches: Patches) -> None:
    def our_failures(self: Decided) -> int:
        return len(self.letters) + self.counts[Disposition.SHED] + self.missing

    patches.replace(Decided, "our_failures", property(our_failures))
