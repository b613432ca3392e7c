"""Whether Kafka answers."""

from __future__ import annotations

from collections.abc import Collection

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from schemas.errors import BrokerUnavailable
from streams.adapters.broker_access import Brokers, connection, told_why

REQUEST_MS = 2000


async def check_brokers(brokers: Brokers, topics: Collection[str] = ()) -> None:
    """Asks any broker for the cluster's metadata. Raises BrokerUnavailable when none answers within seconds, or when
    one of these topics is not there."""
    client = AIOKafkaClient(**connection(brokers), client_id="mutt", request_timeout_ms=REQUEST_MS)
    try:
        await client.bootstrap()
        missing = sorted(set(topics) - (await client.fetch_all_metadata()).topics()) if topics else []
    except (KafkaError, OSError, TimeoutError) as error:
        raise BrokerUnavailable(f"Kafka: {await told_why(brokers, error)}") from error
    finally:
        await client.close()
    if missing:
        raise BrokerUnavailable(f"no topic {', '.join(missing)} that this login may read; run: mutt topics create")
