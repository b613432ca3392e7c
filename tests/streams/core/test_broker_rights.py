"""Who may do what at Kafka, as the table says it."""

from __future__ import annotations

import pytest

from schemas.topics import ALERTS, DLQ, INGEST, TOPICS, consumer_group
from streams.core.broker_rights import PREFIX, Client, Kind, Operation, Right, ours, told, wanted_rights

RIGHTS = wanted_rights()
FROM_OUTSIDE = (Client.PRODUCER, Client.RSYSLOG, Client.SNMP_BRIDGE)


def of(client: Client, *operations: Operation) -> set[str]:
    """Names of what it may do these with."""
    return {right.name for right in RIGHTS if right.principal == PREFIX + client and right.operation in operations}


def test_only_who_deploys_makes_and_changes_topics_and_nobody_deletes_them() -> None:
    changing = {Operation.CREATE, Operation.ALTER, Operation.ALTER_CONFIGS}
    assert {right.principal for right in RIGHTS if right.operation in changing} == {PREFIX + Client.MIGRATE}
    assert of(Client.MIGRATE, Operation.CREATE) == {topic.name for topic in TOPICS}
    assert not [right for right in RIGHTS if right.operation is Operation.DELETE]


@pytest.mark.parametrize("client", FROM_OUTSIDE)
def test_who_sends_events_writes_them_and_reads_nothing(client: Client) -> None:
    assert of(client, Operation.WRITE) <= {topic.name for topic in INGEST}
    assert of(client, Operation.WRITE)
    assert not of(client, Operation.READ)


def test_each_role_reads_its_topics_in_its_own_group() -> None:
    assert of(Client.MATCH, Operation.READ) == {topic.name for topic in INGEST} | {consumer_group("match")}
    assert of(Client.FORWARD, Operation.READ) == {ALERTS.name, consumer_group("forward")}
    assert {DLQ.name, consumer_group("dead-letters")} <= of(Client.DEAD_LETTERS, Operation.READ)


def test_principals_have_the_names_that_they_are_given() -> None:
    named = wanted_rights({Client.MATCH: "User:CN=matcher"})
    assert {right.principal for right in named} == {PREFIX + one for one in Client if one is not Client.MATCH} | {
        "User:CN=matcher"
    }
    assert len(named) == len(RIGHTS)


def test_what_is_ours_and_how_it_is_told() -> None:
    right = Right("User:x", Kind.TOPIC, DLQ.name, Operation.WRITE)
    assert told(right) == f"User:x WRITE on the topic {DLQ.name}"
    assert [ours(right._replace(name=name)) for name in (DLQ.name, "*", "of.others")] == [True, True, False]
