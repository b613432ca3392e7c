"""Takes the dead out of a consumer group: else their partitions would be theirs until the session timeout."""

from __future__ import annotations

import asyncio

from aiokafka.client import AIOKafkaClient, ConnectionGroup, CoordinationType
from aiokafka.protocol.group import LeaveGroupRequest
from confluent_kafka.admin import AdminClient


async def bury(bootstrap: str, group: str) -> None:
    """Says for every member that it leaves; to be called when all of them are dead."""
    for member in await asyncio.to_thread(_members, bootstrap, group):
        await _leave(bootstrap, group, member)


def _members(bootstrap: str, group: str) -> list[str]:
    admin = AdminClient({"bootstrap.servers": bootstrap})  # it answers for as long as it is held
    (answer,) = admin.describe_consumer_groups([group]).values()
    return [member.member_id for member in answer.result().members]


async def _leave(bootstrap: str, group: str, member: str) -> None:
    client = AIOKafkaClient(bootstrap_servers=bootstrap)
    await client.bootstrap()
    try:
        node = await client.coordinator_lookup(CoordinationType.GROUP, group)
        assert await client.ready(node, group=ConnectionGroup.COORDINATION)
        answer = await client.send(node, LeaveGroupRequest(group, member), group=ConnectionGroup.COORDINATION)
        assert answer.error_code == 0, answer
    finally:
        await client.close()
