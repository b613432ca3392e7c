"""Signatures of what we post, as Standard Webhooks has them: HMAC-SHA256 over id, timestamp and body."""

from __future__ import annotations

import base64
import binascii
import hmac

from schemas.errors import SettingsRefused
from schemas.secrets import Secret

SECRET_PREFIX = "whsec_"  # noqa: S105 - a format, no secret


def signing_key(secret: Secret) -> bytes:
    """The key in `whsec_` and base64. Raises SettingsRefused, without the value, where it is not written so."""
    try:
        key = base64.b64decode(secret.reveal().removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise SettingsRefused(f"the signing secret is not written as {SECRET_PREFIX} and base64")
    return key


def signed_headers(identity: str, timestamp: int, body: bytes, keys: tuple[bytes, ...] = ()) -> dict[str, str]:
    """The three headers; `timestamp` is in whole seconds since the epoch. Two keys, while one replaces the other,
    give two signatures; none gives no signature header."""
    headers = {"webhook-id": identity, "webhook-timestamp": str(timestamp)}
    if keys:
        content = f"{identity}.{timestamp}.".encode() + body
        headers["webhook-signature"] = " ".join(_signature(key, content) for key in keys)
    return headers


def _signature(key: bytes, content: bytes) -> str:
    return "v1," + base64.b64encode(hmac.digest(key, content, "sha256")).decode()
