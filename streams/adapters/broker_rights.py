"""Reads and changes the rights (ACLs) that the brokers hold on mutt's topics and groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import for_code
from aiokafka.protocol.admin import CreateAclsRequest, DescribeAclsRequest

from streams.adapters.broker_access import Brokers, admin
from streams.core.broker_rights import Kind, Operation, Right, ours, told, wanted_rights

_ANY, _LITERAL, _PREFIXED, _ALLOW = 1, 3, 4, 3
_EVERY_HOST = "*"
TIMEOUT_MS = 20_000


@dataclass(frozen=True, slots=True)
class RightsFound:
    """Where the brokers differ from the table."""

    missing: tuple[Right, ...]
    extra: tuple[str, ...]
    """Rights on mutt's topics and groups that are not in the table, in words; nobody takes them away but a person."""


async def check_rights(brokers: Brokers, names: Mapping[str, str] | None = None) -> RightsFound:
    """Compares. Raises BrokerUnavailable, also where we may not look or the brokers have no authorizer."""
    async with admin(brokers, request_timeout_ms=TIMEOUT_MS) as client:
        return await _compare(client, names)


async def apply_rights(brokers: Brokers, names: Mapping[str, str] | None = None) -> tuple[Right, ...]:
    """Adds what is missing and returns it. Safe to repeat. Raises BrokerUnavailable."""
    async with admin(brokers, request_timeout_ms=TIMEOUT_MS) as client:
        missing = (await _compare(client, names)).missing
        for right in missing:
            answer = await client._send_to_controller(CreateAclsRequest(*_numbers(right)))
            _raise_for([(code, why) for code, why in answer.creation_responses])
        return missing


async def _compare(client: AIOKafkaAdminClient, names: Mapping[str, str] | None) -> RightsFound:
    answer = await client._send_request(DescribeAclsRequest(_ANY, None, _ANY, None, None, _ANY, _ANY))
    _raise_for([(answer.error_code, answer.error_message)])
    due, real, others = wanted_rights(names), set(), []
    for kind, name, pattern, rights in answer.resources:
        for principal, host, operation, permission in rights:
            plain = (pattern, host, permission) == (_LITERAL, _EVERY_HOST, _ALLOW)
            if plain and kind in list(Kind) and operation in list(Operation):
                real.add(Right(principal, Kind(kind), name, Operation(operation)))
            elif kind in list(Kind) and ours(Right(principal, Kind(kind), name, Operation.READ)):
                others.append(f"{principal} {_told(operation, permission, pattern)} from {host} on {name}")
    extra = [told(right) for right in real - due if ours(right)]
    return RightsFound(tuple(sorted(due - real)), tuple(sorted([*extra, *others])))


def _told(operation: int, permission: int, pattern: int) -> str:
    word = Operation(operation).name if operation in list(Operation) else f"operation {operation}"
    return ("" if permission == _ALLOW else "is denied ") + word + (" by prefix" if pattern == _PREFIXED else "")


def _numbers(right: Right) -> tuple[Any, ...]:
    return (right.kind, right.name, _LITERAL, right.principal, _EVERY_HOST, right.operation, _ALLOW)


def _raise_for(codes: list[tuple[int, str | None]]) -> None:
    for code, why in codes:
        if code:
            raise for_code(code)(why or "")
