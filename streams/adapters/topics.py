"""Creates the topics that are missing and tells which differ from what mutt expects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code

from schemas.topics import TOPICS, Topic
from streams.adapters.broker_access import Brokers, admin

REQUEST_TIMEOUT_MS = 20_000


@dataclass(frozen=True, slots=True)
class TopicState:
    """One topic on the broker: there or not, and where it differs."""

    name: str
    exists: bool
    created: bool = False
    partitions: int = 0
    differences: tuple[str, ...] = ()


async def create_topics(brokers: Brokers, *, replication: int = 1) -> list[TopicState]:
    """Creates what is missing of TOPICS; existing ones are left as they are. Raises BrokerUnavailable."""
    async with admin(brokers, request_timeout_ms=REQUEST_TIMEOUT_MS) as client:
        there = set(await client.list_topics())
        missing = [topic for topic in TOPICS if topic.name not in there]
        if missing:
            await _create(client, missing, replication)
        states = await _describe(client)
        return [_as_created(state, state.name not in there) for state in states]


async def check_topics(brokers: Brokers) -> list[TopicState]:
    """Every topic of mutt with what differs from its definition. Raises BrokerUnavailable."""
    async with admin(brokers, request_timeout_ms=REQUEST_TIMEOUT_MS) as client:
        return await _describe(client)


async def describe_topics(brokers: Brokers) -> list[tuple[str, list[int], dict[str, str]]]:
    """The topics of mutt that are there: name, copies of each partition, settings. Raises BrokerUnavailable."""
    async with admin(brokers, request_timeout_ms=REQUEST_TIMEOUT_MS) as client:
        copies, configs = await _read(client)
        return [(name, copies[name], configs[name]) for name in copies]


async def _create(client: AIOKafkaAdminClient, topics: Sequence[Topic], replication: int) -> None:
    wanted = [NewTopic(t.name, t.partitions, replication, topic_configs=t.config) for t in topics]
    answer = await client.create_topics(wanted)
    for name, code, *_ in answer.topic_errors:
        if code and for_code(code) is not TopicAlreadyExistsError:
            raise for_code(code)(f"topic {name}")


async def _describe(client: AIOKafkaAdminClient) -> list[TopicState]:
    copies, configs = await _read(client)
    partitions = {name: len(each) for name, each in copies.items()}
    return [_state(topic, partitions.get(topic.name), configs.get(topic.name, {})) for topic in TOPICS]


async def _read(client: AIOKafkaAdminClient) -> tuple[dict[str, list[int]], dict[str, dict[str, str]]]:
    """The copies of each partition, and the settings, of each topic of TOPICS that is there."""
    there = set(await client.list_topics())
    names = [topic.name for topic in TOPICS if topic.name in there]
    if not names:
        return {}, {}
    described = await client.describe_topics(names)
    copies = {item["topic"]: [len(part["replicas"]) for part in item["partitions"]] for item in described}
    configs: dict[str, dict[str, str]] = {}
    for answer in await client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names]):
        for *_, name, entries in answer.resources:
            configs[name] = {entry[0]: entry[1] for entry in entries}
    return copies, configs


def _state(topic: Topic, partitions: int | None, config: dict[str, str]) -> TopicState:
    if partitions is None:
        return TopicState(topic.name, exists=False)
    differences = [
        f"{key} is {config.get(key)}, not {value}" for key, value in topic.config.items() if config.get(key) != value
    ]
    if partitions != topic.partitions:
        differences.append(f"{partitions} partitions, not {topic.partitions}")
    return TopicState(topic.name, exists=True, partitions=partitions, differences=tuple(differences))


def _as_created(state: TopicState, created: bool) -> TopicState:
    return TopicState(state.name, state.exists, created, state.partitions, state.differences)
