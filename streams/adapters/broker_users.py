"""Users of the brokers: their passwords (SCRAM), of which the brokers are told no more than what proves them."""

from __future__ import annotations

import asyncio
import hashlib
import secrets as randomness
from collections.abc import Mapping, Sequence

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    CompactArray,
    CompactBytes,
    CompactString,
    Int8,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

from schemas.errors import Refused
from schemas.secret_names import KAFKA_PASSWORD, KAFKA_USER, Service, kafka_group
from schemas.secrets import Secret
from streams.adapters.broker_access import BrokerAccess, Brokers, admin
from streams.adapters.vault_store import VaultStore

MECHANISMS = {"SCRAM-SHA-256": (1, "sha256"), "SCRAM-SHA-512": (2, "sha512")}
"""Kafka's number of each, and its hash."""
ITERATIONS = 8192
TIMEOUT_MS = 20_000
_TEXT = CompactString("utf-8")
_Wanted = tuple[str, int, int, bytes, bytes, dict[int, bytes]]


async def set_passwords(brokers: Brokers, passwords: Mapping[str, Secret], mechanism: str = "SCRAM-SHA-512") -> None:
    """Makes these users, or gives them another password; open connections stay. Takes who may alter the cluster.

    Raises BrokerUnavailable, also where we may not, and Refused for a mechanism other than SCRAM.
    """
    wanted = [_wanted(user, password, mechanism) for user, password in passwords.items()]
    async with admin(brokers, request_timeout_ms=TIMEOUT_MS) as client:
        await _alter(client, wanted)


async def replace_password(store: VaultStore, brokers: BrokerAccess, service: Service) -> str:
    """A new password for a service's user at the brokers, stored first; its name. Safe to repeat.

    Between the two a login with the new one is refused, so the brokers are at hand before it is stored. Where they do
    not take it what was stored before is stored again. Raises Refused where nothing is stored, SecretsUnavailable,
    BrokerUnavailable.
    """
    group = kafka_group(service)
    found = await asyncio.to_thread(store.load, group)
    if KAFKA_USER not in found.values:
        raise Refused(f"nothing is stored at {store.path(group)}: the first login is made by hand")
    user, password = found.values[KAFKA_USER].reveal(), Secret(randomness.token_urlsafe(32))
    wanted = [_wanted(user, password, brokers.settings.kafka_sasl_mechanism)]
    async with admin(brokers, request_timeout_ms=TIMEOUT_MS) as client:
        stored = {**found.values, KAFKA_PASSWORD: password}
        await asyncio.to_thread(store.save, group, stored, over=found.version)
        try:
            await _alter(client, wanted)
        except BaseException:
            await asyncio.to_thread(store.save, group, found.values, over=found.version + 1)
            raise
    return user


def _wanted(user: str, password: Secret, mechanism: str) -> _Wanted:
    """What the brokers are told. Raises Refused."""
    if mechanism not in MECHANISMS:
        raise Refused(f"MUTT_KAFKA_SASL_MECHANISM={mechanism} keeps its passwords elsewhere")
    number, hashed_by = MECHANISMS[mechanism]
    salt = randomness.token_bytes(32)
    salted = hashlib.pbkdf2_hmac(hashed_by, password.reveal().encode(), salt, ITERATIONS)
    return user, number, ITERATIONS, salt, salted, {}


async def _alter(client: AIOKafkaAdminClient, wanted: Sequence[_Wanted]) -> None:
    """Raises Kafka's errors."""
    answer = await client._send_to_controller(_AlterUsers(wanted))
    for _, code, why, _ in answer.results:
        if code:
            raise for_code(code)(why or "")


class _Answer(Response):  # type: ignore[misc]
    API_KEY = 51
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("results", CompactArray(("user", _TEXT), ("error_code", Int16), ("error", _TEXT), ("tags", TaggedFields))),
        ("tags", TaggedFields),
    )


class _Struct(RequestStruct):  # type: ignore[misc]
    """AlterUserScramCredentials, which aiokafka lacks."""

    FLEXIBLE_VERSION = True
    API_KEY = 51
    API_VERSION = 0
    RESPONSE_TYPE = _Answer
    SCHEMA = Schema(
        ("deletions", CompactArray(("name", _TEXT), ("mechanism", Int8), ("tags", TaggedFields))),
        (
            "upsertions",
            CompactArray(
                ("name", _TEXT),
                ("mechanism", Int8),
                ("iterations", Int32),
                ("salt", CompactBytes),
                ("salted_password", CompactBytes),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )

    def __repr__(self) -> str:
        """Without what is in it."""
        return type(self).__name__


class _AlterUsers(Request[_Struct]):  # type: ignore[misc]
    API_KEY = 51

    def __init__(self, upsertions: Sequence[_Wanted]) -> None:
        self._upsertions = upsertions

    def build(self, request_struct_class: type[_Struct]) -> _Struct:
        return request_struct_class([], self._upsertions, {})
