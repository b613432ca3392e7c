"""Who may ask: one API key, compared in constant time, never taken from a URL."""

from __future__ import annotations

import hmac

from starlette.datastructures import Headers, QueryParams

from schemas.secrets import Secret

SCHEME = "bearer"
QUERY_KEY = "api_key"

NOT_IN_URL = "an API key in the URL is not accepted; send X-API-KEY"
REFUSED = "a valid API key is needed in X-API-KEY or Authorization: Bearer"


def refusal(headers: Headers, query: QueryParams, key: Secret | None) -> str | None:
    """Why a request is 401, or None when it may pass. Without a key set, everyone who reaches the port may ask."""
    if QUERY_KEY in query:
        return NOT_IN_URL
    if key is None:
        return None
    given = _given(headers)
    expected = key.reveal().encode()
    return None if given is not None and hmac.compare_digest(given, expected) else REFUSED


def _given(headers: Headers) -> bytes | None:
    """The one credential of the request; None where there is none, more than one, or not of our scheme."""
    keys, authorizations = headers.getlist("x-api-key"), headers.getlist("authorization")
    if keys:
        return keys[0].encode("latin-1") or None if len(keys) == 1 else None
    if len(authorizations) != 1:
        return None
    scheme, _, token = authorizations[0].partition(" ")
    return token.strip().encode("latin-1") or None if scheme.lower() == SCHEME else None
