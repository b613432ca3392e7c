"""What every BatchStore must do; run on the fakes and on PostgreSQL."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Protocol

import pytest

from schemas.config import DynamicConfig
from schemas.dead_letters import LetterState
from schemas.errors import Fenced, RowRefused
from schemas.rules import Handling
from schemas.topics import SYSLOG
from streams.core.batches import PlainRecord
from streams.core.disposition import decide
from streams.core.matching import Knowledge
from streams.core.ports import BatchStore
from streams.core.progress import Progress
from streams.core.signatures import SignatureBook
from streams.core.work import Decided, Work
from tests.builders import event_json, rule, rule_set

NOW = dt.datetime(2026, 11, 2, 12, 0, 30, tzinfo=dt.UTC)
AT = 1_793_620_800_000
TEXTS = ("link down on Gi0/1", "config saved\0 by admin", "heartbeat", "nothing knows this 1", "nothing knows this 2")
KNOWLEDGE = Knowledge.of(
    rule_set(
        rule(id=1, match_string="link down"),
        rule(id=2, match_string="config saved", prod_handling=Handling.LOG_ONLY),
        rule(id=3, match_string="heartbeat", prod_handling=Handling.IGNORE),
        config=DynamicConfig(audit_unhandled_events=True, unhandled_threshold=2),
    )
)
PLACE = (SYSLOG.name, 0)
LIMIT = 100


def batch(partition: int, *values: bytes, first: int = 0) -> Decided:
    """Records that alert, are logged, ignored and unmatched, or those given."""
    records = [
        PlainRecord(first + at, AT + at, b"h1", value, ()) for at, value in enumerate(values or map(said, TEXTS))
    ]
    return decide(
        Work(
            topic=SYSLOG, partition=partition, first=first, after=first + len(records), records=records,
            knowledge=KNOWLEDGE, book=SignatureBook(), now=NOW,
        )
    )  # fmt: skip


def said(text: str) -> bytes:
    return event_json(message=text, timestamp="2026-11-02T12:00:00Z")


class Batches(Protocol):
    """A store, and a look at what is in it."""

    @property
    def store(self) -> BatchStore: ...

    async def audited(self) -> list[int]:
        """Offsets of the audit rows of the partition, in order."""

    async def alerts(self) -> set[uuid.UUID]: ...

    def spoil(self, decided: Decided, at: int) -> None:
        """From now on the database refuses the audit row at this place of the batch."""


async def begun(batches: Batches) -> Progress:
    await batches.store.begin(*PLACE, 0)
    progress = await batches.store.progress(*PLACE)
    assert progress is not None
    return progress


class BatchStoreContract:
    """Subclass with a fixture `batches`."""

    async def test_a_partition_begins_once(self, batches: Batches) -> None:
        store = batches.store
        assert await store.progress(*PLACE) is None
        await store.begin(*PLACE, 7)
        await store.begin(*PLACE, 9)
        assert await store.progress(*PLACE) == Progress(next_offset=7)

    async def test_a_batch_is_there_whole_and_moves_the_partition(self, batches: Batches) -> None:
        progress = await begun(batches)
        decided = batch(0)
        after = await batches.store.commit(decided, progress)
        assert (after.next_offset, after.last_sha256) == (len(TEXTS), decided.last_sha256)
        assert await batches.store.progress(*PLACE) == after
        assert await batches.audited() == [0, 1, 3, 4]
        assert await batches.alerts() == {alert.id for alert in decided.alerts}

    async def test_the_next_batch_goes_on_from_there(self, batches: Batches) -> None:
        progress = await batches.store.commit(batch(0), await begun(batches))
        after = await batches.store.commit(batch(0, said("config saved"), first=progress.next_offset), progress)
        assert await batches.store.progress(*PLACE) == after
        assert await batches.audited() == [0, 1, 3, 4, 5]
        assert progress.last_row is not None
        assert after.last_row == progress.last_row  # of one minute and version

    async def test_who_stands_elsewhere_is_fenced_and_writes_nothing(self, batches: Batches) -> None:
        progress = await begun(batches)
        after = await batches.store.commit(batch(0, said("config saved")), progress)
        for late in (batch(0, said("config saved")), batch(0, said("config saved"), first=5)):
            with pytest.raises(Fenced):
                await batches.store.commit(late, progress)
        assert await batches.store.progress(*PLACE) == after
        assert await batches.audited() == [0]

    async def test_a_halted_partition_says_why_and_takes_nothing(self, batches: Batches) -> None:
        progress = await begun(batches)
        await batches.store.halt(*PLACE, "its log was replaced")
        stands = await batches.store.progress(*PLACE)
        assert stands is not None
        assert (stands.next_offset, stands.halted) == (0, "its log was replaced")
        with pytest.raises(Fenced):
            await batches.store.commit(batch(0), progress)
        assert await batches.audited() == []

    async def test_a_refused_row_is_named_and_nothing_is_written(self, batches: Batches) -> None:
        progress = await begun(batches)
        decided = batch(0)
        batches.spoil(decided, 1)
        with pytest.raises(RowRefused) as refused:
            await batches.store.commit(decided, progress)
        assert (refused.value.table, refused.value.line) in (("audit", 2), ("audit", None))
        assert await batches.store.progress(*PLACE) == progress
        assert (await batches.audited(), await batches.alerts()) == ([], set())

    async def test_signatures_are_read_back_as_they_were_kept(self, batches: Batches) -> None:
        decided = batch(0)
        assert await batches.store.signatures(*PLACE, LIMIT) == {}
        await batches.store.commit(decided, await begun(batches))
        assert await batches.store.signatures(*PLACE, LIMIT) == dict(decided.signatures.rows())
        assert await batches.store.signatures(SYSLOG.name, 1, LIMIT) == {}

    async def test_the_states_of_letters_that_are_there(self, batches: Batches) -> None:
        decided = batch(0, b"{")
        await batches.store.commit(decided, await begun(batches))
        [letter] = decided.letters
        states = await batches.store.replay_states([letter.id, uuid.uuid4()])
        assert states == {letter.id: LetterState.OPEN}
