"""Takes the dead out of consumer groups: else their partitions would be theirs until the session timeout."""

from __future__ import annotations

import asyncio

from aiokafka.client import AIOKafkaClient, ConnectionGroup, CoordinationType
from aiokafka.protocol.group import LeaveGroupRequest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient


async def bury(bootstrap: str, *groups: str) -> None:
    """Says for every member that it leaves; to be called when all of them are dead."""
    dead = await asyncio.to_thread(members, bootstrap, groups)
    if not dead:
        return
    client = AIOKafkaClient(bootstrap_servers=bootstrap)
    await client.bootstrap()
    try:
        for group, member in dead:
            await _leave(client, group, member)
    finally:
        await client.close()


def members(bootstrap: str, groups: tuple[str, ...]) -> list[tuple[str, str]]:
    """Group and id of each member, the dead that were not noticed included."""
    admin = AdminClient({"bootstrap.servers": bootstrap})  # it answers for as long as it is held
    found = []
    for group, answer in admin.describe_consumer_groups(list(groups), request_timeout=30).items():
        try:
            found += [(group, member.member_id) for member in answer.result().members]
        except KafkaException as error:
            if error.args[0].name() != "GROUP_ID_NOT_FOUND":
                raise
    return found


def described(bootstrap: str, group: str) -> str:
    """Who is in a group, in words, for a test that waits in vain."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    try:
        found = admin.describe_consumer_groups([group], request_timeout=10)[group].result()
    except KafkaException as error:
        return f"{group}: {error.args[0].name()}"
    held = {
        member.member_id: sorted(f"{at.topic}/{at.partition}" for at in member.assignment.topic_partitions)
        for member in found.members
    }
    return f"{group} is {found.state.name.lower()}, its members have {held}"


async def _leave(client: AIOKafkaClient, group: str, member: str) -> None:
    node = await client.coordinator_lookup(CoordinationType.GROUP, group)
    assert await client.ready(node, group=ConnectionGroup.COORDINATION)
    answer = await client.send(node, LeaveGroupRequest(group, member), group=ConnectionGroup.COORDINATION)
    assert answer.error_code in (0, _UNKNOWN_MEMBER), answer


_UNKNOWN_MEMBER = 25
"""The broker has given it up by itself meanwhile."""
