"""The error tree: a leaf says what failed, its branch says how to treat it.

MuttError
├── Unavailable            wait and try again: the fault lies outside the record (I7)
│   ├── StoreUnavailable       PostgreSQL
│   │   └── QuestionFailed         it works, but not for this: a table or a privilege is missing
│   │       └── TooSlow                it works, but did not answer this in time
│   ├── BrokerUnavailable      Kafka
│   ├── SecretsUnavailable     the store of secrets, or what it says of itself
│   ├── PrometheusUnavailable  Prometheus, where SLOs are asked of it
│   │   └── PrometheusTimeout      it did not answer in time
│   ├── KnownDown              not even asked: its circuit breaker is open
│   └── Overloaded             not even asked: too many wait for it already
├── RecordRejected         dead-letter: the record's own fault, with a closed reason
├── RowRefused             dead-letter: the database refuses the value of one row
├── Fenced                 give the work up: another owner moved the partition's progress
├── PartitionHalted        stop this partition until an operator acts; others go on
├── ArchiveDamaged         keep the rows and tell an operator: an archive is not what was written
└── Refused                tell the caller: what was asked for is wrong
    ├── SettingsRefused        environment or settings
    ├── SecretRefused          a secret, or half of a pair of them
    ├── ConfigRefused          a dynamic configuration key
    ├── DocumentRefused        a JSON document, before anybody looks at what it says
    ├── RuleRefused            a rule or a rules file
    ├── ObjectivesRefused      the file of service level objectives
    ├── MaintenanceRefused     a maintenance window
    │   └── MaintenanceOver        it has ended already
    ├── NotFound               there is no such thing, or it was retired
    ├── AlreadyThere           a thing of that name is there
    ├── KeyRefused             an API key: its client, scopes or times
    │   ├── TwoKeysLive            its client has two that are live
    │   └── ScopesExceeded         it would grant what its maker does not have
    ├── Outdated               it was changed by another hand meanwhile: look again
    └── MigrationRefused       the schema's history
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from schemas.dead_letters import Reason


def words(error: BaseException | None) -> str:
    """What it says, or its name: a time that ran out says nothing."""
    return str(error) or type(error).__name__


class MuttError(Exception):
    """Everything mutt raises on purpose."""


class Unavailable(MuttError):
    """Something outside the record is down or slow; wait with backoff and try again."""


class StoreUnavailable(Unavailable):
    """PostgreSQL did not answer, refused the connection, or asked for a retry."""


class QuestionFailed(StoreUnavailable):
    """PostgreSQL works and refused this one statement, for what an operator can mend or another try may get round."""


class TooSlow(QuestionFailed):
    """PostgreSQL works, but ended what it was asked at the bound in time: it was much, or waited for a lock."""


class BrokerUnavailable(Unavailable):
    """Kafka did not acknowledge in time; what was sent may or may not be on the topic."""


class SecretsUnavailable(Unavailable):
    """The store of secrets gave nothing that can be used; `trouble` says why, in one word."""

    def __init__(self, trouble: str, detail: str) -> None:
        super().__init__(detail)
        self.trouble = trouble


class PrometheusUnavailable(Unavailable):
    """Prometheus could not be reached, or its answer is none."""


class PrometheusTimeout(PrometheusUnavailable):
    """Prometheus did not answer in time."""


class KnownDown(Unavailable):
    """A service failed too often just now, so it was not asked; it may be asked again after `retry_after_s`."""

    def __init__(self, service: str, retry_after_s: float) -> None:
        super().__init__(f"{service} does not answer")
        self.service = service
        self.retry_after_s = retry_after_s


class Overloaded(Unavailable):
    """Too many requests wait for a service, or this one waited too long; that service may be in best health."""


class RecordRejected(MuttError):
    """The record cannot be processed, now or later; it becomes a dead letter with this reason."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.detail = detail


class RowRefused(MuttError):
    """PostgreSQL or its driver refuses one row of a COPY.

    `line` counts the rows of that COPY from 1, where the server named it; None means: find it by bisection.
    """

    def __init__(self, table: str, line: int | None, detail: str) -> None:
        super().__init__(f"{table} row {line if line is not None else '?'}: {detail}")
        self.table = table
        self.line = line
        self.detail = detail


class Fenced(MuttError):
    """The compare-and-set on `partition_progress` found another position than expected."""


class PartitionHalted(MuttError):
    """The partition's log or our own code cannot be trusted; nothing more of it is processed until an operator acts."""


class ArchiveDamaged(MuttError):
    """A file of an archive, or its manifest, is missing or not what was written. Nothing is deleted for it."""


class Refused(MuttError):
    """What the caller gave is wrong; `problems` holds one line for each fault, all at once."""

    def __init__(self, problems: str | Sequence[str]) -> None:
        self.problems: tuple[str, ...] = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("; ".join(self.problems))


class SettingsRefused(Refused):
    """Settings from the environment are misspelt, missing, or out of bounds."""


class SecretRefused(Refused):
    """What a secret's place holds cannot be a secret, or half of what belongs together is missing. Tells no value."""


class ConfigRefused(Refused):
    """A dynamic configuration key is unknown or its value is out of bounds."""


class DocumentRefused(Refused):
    """Bytes are no strict JSON document; `pointer` (RFC 6901) is the place, "" where it is the whole."""

    def __init__(self, pointer: str, detail: str) -> None:
        super().__init__(f"{pointer}: {detail}" if pointer else detail)
        self.pointer = pointer
        self.detail = detail


class RuleRefused(Refused):
    """A rule (or a line of a rules file) is not valid, or the matching engine does not accept its pattern."""


class ObjectivesRefused(Refused):
    """The file of service level objectives is not valid; nothing of it is used."""


class MaintenanceRefused(Refused):
    """A maintenance window is not valid."""


class MaintenanceOver(MaintenanceRefused):
    """A maintenance window has ended; what it left out stays left out."""


class NotFound(Refused):
    """There is nothing of that name or id, or it was retired."""


class AlreadyThere(Refused):
    """Something of that name is there already."""


class KeyRefused(Refused):
    """An API key cannot be made as it was asked for."""


class TwoKeysLive(KeyRefused):
    """The client has two live keys; one must be revoked, or expire, before there is another."""


class ScopesExceeded(KeyRefused):
    """The key would have scopes that whoever makes it does not have."""


class Outdated(Refused):
    """What the caller looked at was changed by another hand meanwhile; nothing was done, look again."""


class MigrationRefused(Refused):
    """An applied migration was edited, is missing, or the schema is newer than this program."""
