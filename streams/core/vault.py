"""What Vault says, judged before anybody uses it; and when a token is renewed or asked for anew. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from schemas.errors import SecretsUnavailable
from schemas.secrets import Secret

LONGEST_LEASE_S = 32 * 86_400
"""Vault's own bound; a token that lives longer, or for ever, is none that a service should hold."""


class Trouble(StrEnum):
    """Why nothing came that can be used; also the metric's label."""

    DOWN = "down"
    SLOW = "slow"
    SEALED = "sealed"
    DENIED = "denied"
    THROTTLED = "throttled"
    MISSING = "missing"
    GARBAGE = "garbage"
    REFUSED = "refused"
    LOGIN = "login"


_TROUBLES = {
    400: (Trouble.DENIED, "it refuses the request"),
    401: (Trouble.DENIED, "it refuses the request"),
    403: (Trouble.DENIED, "permission denied"),
    404: (Trouble.MISSING, "there is nothing at this path"),
    429: (Trouble.THROTTLED, "it is asked too often"),
    501: (Trouble.SEALED, "it is not initialised"),
    503: (Trouble.SEALED, "it is sealed or in maintenance"),
}


class _Body(msgspec.Struct):
    data: dict[str, Any] | None = None
    auth: dict[str, Any] | None = None
    errors: list[Any] | None = None


_decode = msgspec.json.Decoder(_Body).decode


def judge(status: int, body: bytes) -> _Body:
    """What an answer holds. Raises SecretsUnavailable; what the server wrote is not repeated."""
    if status in _TROUBLES:
        raise SecretsUnavailable(*_TROUBLES[status])
    if status not in (200, 204):
        raise SecretsUnavailable(Trouble.GARBAGE, f"it answers with status {status}")
    try:
        answer = _decode(body or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise SecretsUnavailable(Trouble.GARBAGE, "its answer is not Vault's") from None
    if answer.errors:
        raise SecretsUnavailable(Trouble.GARBAGE, f"it answers {status} with errors")
    return answer


class Version(NamedTuple):
    """One version of what a path holds."""

    held: Mapping[str, object]
    number: int
    created: str
    """RFC 3339."""


class _Metadata(msgspec.Struct):
    version: int
    created_time: str
    deletion_time: str = ""
    destroyed: bool = False


class _Kept(msgspec.Struct):
    metadata: _Metadata
    data: dict[str, Any] | None = None
    subkeys: dict[str, Any] | None = None


def version_of(data: Mapping[str, Any] | None) -> Version:
    """From the answer of KV v2, to `data` or to `subkeys`. Raises SecretsUnavailable."""
    try:
        kept = msgspec.convert(data, _Kept)
    except msgspec.ValidationError:
        raise SecretsUnavailable(Trouble.GARBAGE, "its answer holds no version of a secret") from None
    if kept.metadata.destroyed or (kept.data is None and kept.subkeys is None):
        raise SecretsUnavailable(Trouble.MISSING, "the newest version is deleted")
    return Version(kept.data or kept.subkeys or {}, kept.metadata.version, kept.metadata.created_time)


class Lease(NamedTuple):
    """A token, and how long it is good for."""

    token: Secret
    ttl_s: float
    renewable: bool


class _Auth(msgspec.Struct):
    client_token: str = msgspec.field(default="")
    id: str = msgspec.field(default="")
    lease_duration: float = 0
    ttl: float = 0
    renewable: bool = False


def lease_of(told: Mapping[str, Any] | None) -> Lease:
    """From the answer to a login, a renewal or a look-up. Raises SecretsUnavailable."""
    try:
        auth = msgspec.convert(told, _Auth)
    except msgspec.ValidationError:
        raise SecretsUnavailable(Trouble.GARBAGE, "its answer holds no token") from None
    token, ttl = auth.client_token or auth.id, auth.lease_duration or auth.ttl
    if not token or not token.isprintable():
        raise SecretsUnavailable(Trouble.GARBAGE, "its answer holds no token")
    if not 0 < ttl <= LONGEST_LEASE_S:
        raise SecretsUnavailable(Trouble.REFUSED, f"its token lives for {ttl:.0f} s: give tokens a time to live")
    return Lease(Secret(token), ttl, auth.renewable)


class Step(StrEnum):
    """What a token needs before it is used."""

    USE = "use"
    RENEW = "renew"
    LOGIN = "login"


RENEW_AFTER = 0.6
"""Part of a token's life after which it is renewed."""
WORTH_RENEWING = 0.5
"""A renewal that gives less than this part of the first life has met the maximum: a new login comes next."""


def step(lease: Lease | None, age_s: float, first_ttl_s: float) -> Step:
    """`age_s` since it was given or renewed, `first_ttl_s` how long it was good for at the login."""
    if lease is None or age_s >= lease.ttl_s:
        return Step.LOGIN
    if age_s < RENEW_AFTER * lease.ttl_s:
        return Step.USE
    return Step.RENEW if lease.renewable and lease.ttl_s >= WORTH_RENEWING * first_ttl_s else Step.LOGIN
