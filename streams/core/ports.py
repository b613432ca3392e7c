"""The seams between decisions and the outside: one Protocol per outside system."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from typing import Protocol

from schemas.dead_letters import DeadLetter, LetterState, Reason
from schemas.rules import RuleSet
from streams.core.delivery import Answer, Settlement, Standing
from streams.core.pausing import Pause
from streams.core.progress import Progress
from streams.core.remediation import Batch, Posts
from streams.core.signatures import Seen
from streams.core.work import Decided


class Clock(Protocol):
    """Time as an argument. `now` is wall-clock time in UTC; `monotonic` counts seconds and never goes back."""

    def now(self) -> dt.datetime: ...

    def monotonic(self) -> float: ...


class RuleSource(Protocol):
    """Where rules, hosts, teams and configuration come from, as one consistent snapshot.

    `load` waits for the database; raises StoreUnavailable when it cannot be reached. The caller retries.
    """

    async def load(self) -> RuleSet: ...

    async def version(self) -> int:
        """The current rule-set version, cheap to ask often."""
        ...


class LetterStore(Protocol):
    """Where dead letters are kept for operators. Raises StoreUnavailable where it is away; the caller retries."""

    async def insert_absent(self, letters: Sequence[DeadLetter], published_at: dt.datetime) -> int:
        """Inserts the letters that are not there yet by id, as already on the topic. Returns how many that were."""
        ...


class BatchStore(Protocol):
    """Where one batch becomes one transaction. Every method waits for the database, at most its statement timeout.

    Raises StoreUnavailable when the database is away or asks for a retry; after that from `commit` the outcome is
    unknown until `progress` is read. The caller retries.
    """

    async def progress(self, topic: str, partition: int) -> Progress | None:
        """Where the partition stands; None if it was never read."""
        ...

    async def begin(self, topic: str, partition: int, offset: int) -> None:
        """Records that a partition never read before starts at this offset, if nobody did."""
        ...

    async def halt(self, topic: str, partition: int, reason: str) -> None:
        """Records that the partition must not be processed until an operator acts."""
        ...

    async def signatures(self, topic: str, partition: int, limit: int) -> Mapping[int, Seen]:
        """The stored signatures of unmatched events, least recently seen first."""
        ...

    async def replay_states(self, letters: Sequence[uuid.UUID]) -> Mapping[uuid.UUID, LetterState]:
        """The state of these letters, where they exist."""
        ...

    async def commit(self, decided: Decided, progress: Progress) -> Progress:
        """Writes the batch if the partition still stands where `progress` says.

        Raises Fenced when it does not, and RowRefused when the database refuses the value of a row; then nothing is
        written.
        """
        ...


class OutboxPublisher(Protocol):
    """Puts committed alerts and dead letters on their topics and marks them published, at once or soon after.

    Waits for the brokers' answer, at most its deadline; raises BrokerUnavailable after that (what was sent may be on
    the topic) and StoreUnavailable. The caller retries with `publish_pending`, which sees all marks of its own.
    """

    async def publish(self, decided: Decided) -> None:
        """What this batch committed."""
        ...

    async def publish_pending(self, topic: str, partition: int) -> int:
        """What was committed for this partition and is not marked published: left by a crash or a failed try."""
        ...

    async def flush(self) -> None:
        """Marks what was published and is not marked yet."""
        ...


class PartitionLog(Protocol):
    """The consumer's view of a partition's log. `bounds` asks the broker; raises BrokerUnavailable."""

    async def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        """First offset, and the one after the last."""
        ...

    def seek(self, topic: str, partition: int, offset: int) -> None:
        """Asks for the next poll to start there."""
        ...


class BacklogReader(Protocol):
    """How many alerts wait for delivery, fleet-wide. Waits for the database, at most its statement timeout.

    Raises StoreUnavailable; the caller asks again.
    """

    async def pending(self, at_most: int) -> int:
        """The count, or `at_most` where it is more: what lies beyond is not counted."""
        ...


class PauseBoard(Protocol):
    """Where operators see what is paused, why and since when."""

    async def show(self, pauses: Sequence[Pause]) -> None:
        """All pauses of this worker, in order. They fade unless shown again. Raises StoreUnavailable."""
        ...


class AlertSink(Protocol):
    """The receiver of alerts. `post` waits for its answer, at most the webhook timeout.

    `trace` is the trace context that goes along. Raises nothing that the receiver or the network can cause: every
    fault is an Answer. It never retries.
    """

    async def post(self, alert_id: uuid.UUID, body: bytes, trace: str | None = None) -> Answer: ...


class DeliveryStore(Protocol):
    """Where it stands what became of each alert. Raises StoreUnavailable where it is away; the caller retries."""

    async def load(self, alerts: Sequence[uuid.UUID]) -> Mapping[uuid.UUID, Standing]:
        """How these alerts stand, where they exist."""
        ...

    async def settle(self, settlements: Sequence[Settlement], foreign: Sequence[DeadLetter]) -> None:
        """Writes all of it or nothing: states, attempts, letters and SLI; at most one settlement an alert.

        Writing the same again changes nothing, and an alert that is not pending any more stays as it is. `foreign`
        are letters of records on mutt.alerts that no row explains.
        """
        ...


class ReceiverProbe(Protocol):
    """A question to the receiver of alerts that is no alert. It waits for the answer, at most its timeout.

    Raises nothing that the receiver or the network can cause: every fault is an Answer. It never retries.
    """

    async def ask(self) -> Answer: ...


class LetterReplays(Protocol):
    """Sends dead letters again, and knows what became of them. Waits for the database and the broker.

    Raises StoreUnavailable or BrokerUnavailable; then letters may be in hand, which `go_on` sends.
    """

    async def posts(self) -> Posts:
        """What the tables say of the receiver."""
        ...

    async def unjudged(self) -> int:
        """Letters it sent that no match worker has judged yet: the alerts they become are in no backlog so far."""
        ...

    async def has_work(self, reason: Reason) -> bool:
        """Whether a replay would send, or park, a letter of this reason."""
        ...

    async def replay(self, reason: Reason, limit: int) -> int:
        """Sends at most so many letters again, as a replay on record; returns how many. Parks those sent too often."""
        ...

    async def go_on(self) -> int:
        """Finishes replays that a crash or a fault left unfinished; returns how many letters it sent."""
        ...

    async def last_batches(self) -> Mapping[Reason, Batch]:
        """The last finished replay of each reason that sent something, and how it stands. Records what came back."""
        ...


class ParkedOutbox(Protocol):
    """Puts parked letters on mutt.dlq.parked and marks them.

    Raises StoreUnavailable or BrokerUnavailable; the caller asks again, and a letter may then be there twice.
    """

    async def publish_parked(self) -> int:
        """All that were parked and are not there yet, whoever parked them; returns how many."""
        ...
