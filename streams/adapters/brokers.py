"""Whether Kafka answers."""

from __future__ import annotations

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from schemas.errors import BrokerUnavailable

REQUEST_MS = 2000


async def check_brokers(bootstrap: str) -> None:
    """Asks any broker for the cluster's metadata. Raises BrokerUnavailable when none answers within seconds."""
    client = AIOKafkaClient(bootstrap_servers=bootstrap, client_id="mutt", request_timeout_ms=REQUEST_MS)
    try:
        await client.bootstrap()
    except (KafkaError, OSError, TimeoutError) as error:
        raise BrokerUnavailable(f"Kafka: {error or type(error).__name__}") from error
    finally:
        await client.close()
