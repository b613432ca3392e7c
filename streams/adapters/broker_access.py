"""How mutt's clients reach the brokers: address, TLS and login, for every one of them from here."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.conn import create_conn
from aiokafka.errors import KafkaError

from schemas.errors import BrokerUnavailable, SettingsRefused, words
from schemas.secret_names import KAFKA_PASSWORD, KAFKA_USER
from schemas.settings import Settings
from streams.adapters.live_login import live_login
from streams.adapters.live_tls import LiveContext
from streams.adapters.secrets import SecretSource
from streams.adapters.tls import TlsFiles, client_tls

ASK_MS = 5000


@dataclass(frozen=True, slots=True)
class BrokerAccess:
    """What the settings say, with the secrets of the service."""

    settings: Settings
    secrets: SecretSource

    def __str__(self) -> str:
        return self.settings.kafka_bootstrap


Brokers = BrokerAccess | str
"""A bare address is one of brokers that everybody may talk to in the open."""


def uses_login(settings: Settings) -> bool:
    """Whether the brokers want a user and a password: SASL."""
    return settings.kafka_security.startswith("sasl")


def connection(brokers: Brokers) -> dict[str, Any]:
    """Keyword arguments for any client of aiokafka, which follows files and, with SCRAM, secrets that are replaced.

    Raises SettingsRefused for files that cannot be used, and where the login is not among the secrets.
    """
    if isinstance(brokers, str):
        return {"bootstrap_servers": brokers}
    settings = brokers.settings
    arguments: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_bootstrap,
        "security_protocol": settings.kafka_security.upper(),
    }
    if settings.kafka_security.endswith("ssl"):
        arguments["ssl_context"] = LiveContext(client_tls(TlsFiles.of(settings, "kafka")))
    if uses_login(settings):
        arguments |= _login(brokers)
    return arguments


@asynccontextmanager
async def admin(brokers: Brokers, **options: Any) -> AsyncIterator[AIOKafkaAdminClient]:
    """A started client. Whatever Kafka's errors come inside leave as BrokerUnavailable, with what the broker said."""
    client = AIOKafkaAdminClient(**connection(brokers), **options)
    try:
        await client.start()
        yield client
    except (KafkaError, OSError, TimeoutError) as error:
        raise BrokerUnavailable(f"Kafka at {brokers}: {await told_why(brokers, error)}") from error
    finally:
        await client.close()


async def told_why(brokers: Brokers, error: BaseException) -> str:
    """The error; where no broker let us in, what the first of them says of our TLS and login, asked once more."""
    arguments = connection(brokers)
    address = str(arguments.pop("bootstrap_servers")).partition(",")[0]
    if "ssl_context" in arguments or "sasl_mechanism" in arguments:
        host, _, port = address.rpartition(":")
        try:
            asked = await create_conn(host.strip("[]"), int(port), request_timeout_ms=ASK_MS, **arguments)
            async with asyncio.timeout(ASK_MS / 1000):
                await asked.close()  # TLS says goodbye first
        except ssl.SSLError as refused:
            return f"TLS fails: {getattr(refused, 'verify_message', None) or refused.reason or refused}"
        except KafkaError as refused:
            return f"the login is refused: {refused}"
        except (OSError, TimeoutError, ValueError):
            pass
    return words(error)


def _login(brokers: BrokerAccess) -> dict[str, Any]:
    user, password = brokers.secrets.get(KAFKA_USER), brokers.secrets.get(KAFKA_PASSWORD)
    if user is None or password is None:
        raise SettingsRefused(
            f"MUTT_KAFKA_SECURITY={brokers.settings.kafka_security}: the secrets {KAFKA_USER} and {KAFKA_PASSWORD}"
            " are not there"
        )
    mechanism = brokers.settings.kafka_sasl_mechanism
    login: tuple[Any, Any] = (user.reveal(), password.reveal())
    if mechanism.startswith("SCRAM"):
        login = live_login(brokers.secrets)
    return {"sasl_mechanism": mechanism, "sasl_plain_username": login[0], "sasl_plain_password": login[1]}
