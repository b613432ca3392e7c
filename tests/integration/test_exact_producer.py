"""The producer goes on after the broker has refused a batch: later records arrive, none overtakes, none is doubled."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from confluent_kafka.admin import AdminClient, NewTopic

from ops.devstack.stack import Stack
from streams.adapters.exact_producer import send_all_exact, send_exact
from streams.adapters.publisher import acknowledged, create_producer
from streams.core.letters import LetterRecord
from tests.integration.topics import read_all

TOPIC = "refuses.large.ones"
LARGE = b"x" * 10_000


@pytest.fixture
def refusing(kafka: Stack) -> Iterator[Stack]:
    """With a topic of two partitions that refuses batches above a KiB."""
    admin = AdminClient({"bootstrap.servers": kafka.kafka.bootstrap})
    config = {"max.message.bytes": "1024", "compression.type": "uncompressed"}
    admin.create_topics([NewTopic(TOPIC, 2, 1, config=config)])[TOPIC].result()
    yield kafka
    admin.delete_topics([TOPIC])[TOPIC].result()


@pytest_asyncio.fixture
async def producer(refusing: Stack) -> AsyncIterator[AIOKafkaProducer]:
    producer = create_producer(refusing.kafka.bootstrap)
    await producer.start()
    yield producer
    await producer.stop()


async def sent(producer: AIOKafkaProducer, value: bytes, partition: int = 0) -> None:
    await (await send_exact(producer, TOPIC, partition, (b"host", value, [])))


async def refuse(producer: AIOKafkaProducer, partition: int = 0) -> None:
    with pytest.raises(MessageSizeTooLargeError):
        await sent(producer, _noise(), partition)


def _noise() -> bytes:
    """What does not compress."""
    return bytes((n * n * 31 + n // 7) % 251 for n in range(9_000)) + LARGE


async def test_what_follows_a_refused_batch_arrives(producer: AIOKafkaProducer, refusing: Stack) -> None:
    for number in range(3):
        await sent(producer, b"good %d" % number)
        await sent(producer, b"other %d" % number, 1)
        await refuse(producer)
    await sent(producer, b"last")
    found = [(record.partition(), record.value()) for record in read_all(refusing.kafka.bootstrap, TOPIC)]
    assert found == [
        (0, b"good 0"), (0, b"good 1"), (0, b"good 2"), (0, b"last"), (1, b"other 0"), (1, b"other 1"), (1, b"other 2"),
    ]  # fmt: skip


async def test_what_waits_behind_a_refused_batch_does_not_overtake_it(
    producer: AIOKafkaProducer, refusing: Stack
) -> None:
    await sent(producer, b"first")
    large = await send_exact(producer, TOPIC, 0, (b"host", _noise(), [(b"\xff", b"alone in its batch")]))
    behind = await send_exact(producer, TOPIC, 0, (b"host", b"behind", [(b"\xff", b"alone in its batch")]))
    for answer in (large, behind):
        with pytest.raises(KafkaError):
            await answer
    await sent(producer, b"last")
    assert [record.value() for record in read_all(refusing.kafka.bootstrap, TOPIC)] == [b"first", b"last"]


async def test_records_sent_together_are_those_sent_alone(producer: AIOKafkaProducer, refusing: Stack) -> None:
    """The same bytes on the same partitions, also those that fit in no batch; of one key in their order."""
    keyed: list[LetterRecord] = [
        (b"h1", b"first", ((b"reason", b"json"), (b"reason", None))),
        (b"h2", None, ()),
        (b"h1", b"second", ()),
        (b"h1", b"raw", ((b"caf\xe9", b"\x00"),)),
    ]
    for record in keyed:
        await (await send_exact(producer, TOPIC, None, record))
    alone = _found(refusing)
    await acknowledged(await send_all_exact(producer, TOPIC, [(None, None, ((b"empty", b""),)), *keyed]))
    both = _found(refusing)
    for place in alone:
        kept = [record for record in both[place] if record[:2] != (None, None)]
        assert kept == 2 * alone[place]
    assert sum(map(len, both.values())) == 2 * len(keyed) + 1


def _found(stack: Stack) -> dict[int | None, list[tuple[object, ...]]]:
    """Key, value and headers of what is on each partition; the reader cannot take names that are not UTF-8."""
    found: dict[int | None, list[tuple[object, ...]]] = defaultdict(list)
    for record in read_all(stack.kafka.bootstrap, TOPIC):
        headers = None if record.value() == b"raw" else record.headers()
        found[record.partition()].append((record.key(), record.value(), headers))
    return found
