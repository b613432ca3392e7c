"""Signatures: the reference implementation accepts them."""

from __future__ import annotations

import base64
import datetime as dt

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from schemas.errors import SettingsRefused
from schemas.secrets import Secret
from streams.core.signing import signed_headers, signing_key

OLD, NEW = ("whsec_" + base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))
BODY = b'{"description":"link \xe2\x86\x93"}'


def now() -> int:
    return int(dt.datetime.now(dt.UTC).timestamp())


def test_the_reference_implementation_verifies_it() -> None:
    headers = signed_headers("an-id", now(), BODY, (signing_key(Secret(NEW)),))
    Webhook(NEW).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(NEW).verify(BODY + b" ", headers)


def test_two_live_secrets_give_two_signatures() -> None:
    headers = signed_headers("an-id", now(), BODY, tuple(signing_key(Secret(text)) for text in (NEW, OLD)))
    for secret in (OLD, NEW):
        Webhook(secret).verify(BODY, headers)


def test_without_a_secret_there_is_no_signature() -> None:
    assert signed_headers("an-id", 7, BODY) == {"webhook-id": "an-id", "webhook-timestamp": "7"}


@pytest.mark.parametrize("text", ["whsec_", "whsec_not base64!", "", "whsec_YQ"])
def test_a_secret_that_is_not_well_formed_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(SettingsRefused) as refused:
        signing_key(Secret(text))
    assert "YQ" not in str(refused.value)
    assert "not base64!" not in str(refused.value)
