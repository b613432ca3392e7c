"""Who may do what at Kafka: the table of principals and operations. Whatever is not in it is refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import IntEnum, StrEnum
from typing import NamedTuple

from schemas.topics import ALERTS, DLQ, INGEST, PARKED, RAW, SNMP, SYSLOG, TOPICS, Topic, consumer_group, is_ours


class Client(StrEnum):
    """Who logs in at the brokers."""

    PRODUCER = "producer"
    """Applications that publish events themselves."""
    RSYSLOG = "rsyslog"
    SNMP_BRIDGE = "snmp-bridge"
    MATCH = "match"
    FORWARD = "forward"
    DEAD_LETTERS = "dead-letters"
    API = "api"
    OPERATOR = "operator"
    """Whoever runs `mutt` commands."""
    MIGRATE = "migrate"
    """Whoever deploys: `mutt topics create`."""


class Kind(IntEnum):
    """What a right is on; Kafka's numbers."""

    TOPIC = 2
    GROUP = 3


class Operation(IntEnum):
    """Kafka's numbers."""

    READ = 3
    WRITE = 4
    CREATE = 5
    DELETE = 6
    ALTER = 7
    DESCRIBE = 8
    DESCRIBE_CONFIGS = 10
    ALTER_CONFIGS = 11


class Right(NamedTuple):
    """That a principal may do one thing with one topic or group, from any host."""

    principal: str
    kind: Kind
    name: str
    operation: Operation


_R, _W, _D = Operation.READ, Operation.WRITE, Operation.DESCRIBE
_C, _A, _AC, _DC = Operation.CREATE, Operation.ALTER, Operation.ALTER_CONFIGS, Operation.DESCRIBE_CONFIGS
_LETTERS = (DLQ, PARKED)
_ROLES = ("match", "forward", "dead-letters")

_TOPIC_RIGHTS: tuple[tuple[Client, tuple[Topic, ...], tuple[Operation, ...]], ...] = (
    (Client.PRODUCER, INGEST, (_W, _D)),
    (Client.RSYSLOG, (SYSLOG, RAW), (_W, _D)),
    (Client.SNMP_BRIDGE, (SNMP,), (_W, _D)),
    (Client.MATCH, INGEST, (_R, _D)),
    (Client.MATCH, (ALERTS, *_LETTERS), (_W,)),
    (Client.FORWARD, (ALERTS,), (_R,)),
    (Client.FORWARD, _LETTERS, (_W,)),
    (Client.DEAD_LETTERS, (*INGEST, ALERTS), (_W,)),
    (Client.DEAD_LETTERS, _LETTERS, (_R, _W)),
    (Client.API, INGEST, (_R, _W, _D)),  # it shows the record of an event
    (Client.API, (ALERTS, *_LETTERS), (_D,)),
    (Client.OPERATOR, INGEST, (_R, _W, _DC)),  # mutt trace, mutt dlq replay, mutt doctor
    (Client.OPERATOR, (ALERTS, *_LETTERS), (_W, _DC)),
    (Client.MIGRATE, TOPICS, (_C, _A, _AC, _D, _DC)),
)
_GROUP_RIGHTS: tuple[tuple[Client, tuple[str, ...], tuple[Operation, ...]], ...] = (
    (Client.MATCH, _ROLES[:1], (_R,)),
    (Client.FORWARD, _ROLES[1:2], (_R,)),
    (Client.DEAD_LETTERS, _ROLES[2:], (_R,)),
    (Client.API, _ROLES, (_D,)),
    (Client.OPERATOR, _ROLES, (_D,)),
    (Client.MIGRATE, _ROLES, (_D,)),
)
"""On the consumer groups of these roles."""

IMPLIES: Mapping[Operation, tuple[Operation, ...]] = {
    _R: (_D,), _W: (_D,), Operation.DELETE: (_D,), _A: (_D,), _AC: (_DC,),
}  # fmt: skip
"""What Kafka lets a holder of the first do too."""

PREFIX = "User:mutt-"


def wanted_rights(names: Mapping[str, str] | None = None) -> set[Right]:
    """The table, for principals `User:mutt-CLIENT` or as `names` has them by client."""
    return {
        Right((names or {}).get(client, PREFIX + client), kind, name, operation)
        for client, kind, name, operations in _table()
        for operation in operations
    }


def _table() -> Iterator[tuple[Client, Kind, str, tuple[Operation, ...]]]:
    for client, topics, operations in _TOPIC_RIGHTS:
        yield from ((client, Kind.TOPIC, topic.name, operations) for topic in topics)
    for client, roles, operations in _GROUP_RIGHTS:
        yield from ((client, Kind.GROUP, consumer_group(role), operations) for role in roles)


def ours(right: Right) -> bool:
    """Whether a right is on what is this installation's: any topic or group of its names."""
    return right.name == "*" or is_ours(right.name)


def told(right: Right) -> str:
    """The right in words."""
    return f"{right.principal} {right.operation.name} on the {right.kind.name.lower()} {right.name}"
