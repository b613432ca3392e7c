"""Who asks: the one credential of a request, never taken from a URL, and the port that knows clients by it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from api.head import Head
from api.problem_types import ProblemType
from api.problems import Problem
from schemas.scopes import ALL_SCOPES, Client
from schemas.secrets import Secret, is_among

SCHEME = "bearer"
QUERY_KEY = "api_key"

NOT_IN_URL = "an API key in the URL is not accepted; send X-API-KEY"
REFUSED = "a valid API key is needed in X-API-KEY or Authorization: Bearer"


class Authenticator(Protocol):
    """Knows clients by their secrets; compares in constant time."""

    async def client_of(self, presented: Secret | None, address: str) -> Client | None:
        """The client, or None: 401. `presented` is None where there is no credential, or more than one; `address` is
        where the request comes from, for limits. Raises Unavailable, or Problem (429); the caller does not retry."""


class OneKey:
    """Implements Authenticator with one key for everything, or two while one replaces the other.

    Without a key everyone who reaches the port may ask.
    """

    def __init__(self, *keys: Secret | None) -> None:
        self._keys = [key.reveal().encode() for key in keys if key is not None]

    async def client_of(self, presented: Secret | None, address: str) -> Client | None:
        if not self._keys:
            return DEVELOPMENT
        if presented is None:
            return None
        given = presented.reveal().encode("latin-1", "replace")
        return HOLDER if is_among(given, self._keys) else None

    async def again(self, name: str) -> Client | None:
        """Whom `client_of` knew before, by the id of that client."""
        known = HOLDER if self._keys else DEVELOPMENT
        return known if name == known.id else None


DEVELOPMENT = Client("development", "development", ALL_SCOPES)
HOLDER = Client("api-key", "holder of the API key", ALL_SCOPES)


async def identify(head: Head, query: Mapping[str, str], address: str, authenticator: Authenticator) -> Client:
    """Raises Problem (401)."""
    if QUERY_KEY in query:
        raise _refused(NOT_IN_URL)
    client = await authenticator.client_of(presented(head), address)
    if client is None:
        raise _refused(REFUSED)
    return client


def presented(head: Head) -> Secret | None:
    """The one credential of the request; None where there is none, more than one, or not of our scheme."""
    keys, authorizations = head.all(b"x-api-key"), head.all(b"authorization")
    if keys:
        return Secret(keys[0]) if len(keys) == 1 and keys[0] else None
    if len(authorizations) != 1:
        return None
    scheme, _, token = authorizations[0].partition(" ")
    return Secret(token.strip()) if scheme.lower() == SCHEME and token.strip() else None


def _refused(detail: str) -> Problem:
    return Problem(ProblemType.UNAUTHORIZED, detail, headers={"WWW-Authenticate": "Bearer"})
