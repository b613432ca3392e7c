"""The webhook receiver over HTTP: one post an alert, bounded in time and size, headers from a fixed set."""

from __future__ import annotations

import asyncio
import ssl
import uuid
from typing import Self

import aiohttp

from schemas.secret_names import WEBHOOK_SIGNING, WEBHOOK_SIGNING_NEXT, WEBHOOK_TOKEN
from schemas.trace_context import HEADER
from schemas.versions import MUTT_VERSION
from streams.adapters.egress import Way
from streams.adapters.secrets import SecretSource, live
from streams.core.delivery import Answer, Fault
from streams.core.ports import Clock
from streams.core.receivers.moogsoft import MOOGSOFT
from streams.core.receivers.receiver import Post, Receiver
from streams.core.signing import signing_key

ANSWER_LIMIT = 64 * 1024
"""Bytes of an answer read at most; the rest is left, with the connection."""
TEXT_LIMIT = 1024
"""Characters of the answer kept."""
CONNECTIONS = 1000

FIXED_HEADERS = {
    "Content-Type": "application/json",
    "User-Agent": f"mutt/{MUTT_VERSION}",
    "Accept": "*/*",
    "Accept-Encoding": "identity",
}


def fault_of(error: BaseException) -> Fault | None:
    """The fault that an error of aiohttp or the network stands for; None for anything else, a defect of ours."""
    if isinstance(error, TimeoutError):
        return Fault.TIMEOUT
    if isinstance(error, aiohttp.ClientError | OSError | ssl.SSLError | ssl.CertificateError):
        return Fault.CONNECTION
    return None


class WebhookSink:
    """Implements the AlertSink port. Use as an async context manager; `timeout_s` bounds one post whole."""

    def __init__(
        self, way: Way, secrets: SecretSource, clock: Clock, *, timeout_s: float, receiver: Receiver = MOOGSOFT
    ) -> None:
        """Raises SettingsRefused when the signing secret is not well formed."""
        self._way = way
        self._secrets = secrets
        self._clock = clock
        self._timeout_s = timeout_s
        self._receiver = receiver
        self._session: aiohttp.ClientSession
        self._signing = live(secrets, WEBHOOK_SIGNING, WEBHOOK_SIGNING_NEXT)
        self._keys()

    async def __aenter__(self) -> Self:
        self._session = self._way.open_session(self._timeout_s, connections=CONNECTIONS)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def post(self, alert_id: uuid.UUID, body: bytes, trace: str | None = None) -> Answer:
        deadline = asyncio.get_running_loop().time() + self._timeout_s
        headers = self._headers(str(alert_id), body) | ({} if trace is None else {HEADER: trace})
        try:
            async with asyncio.timeout_at(deadline):
                response = await self._session.post(
                    self._way.url, data=body, headers=headers, allow_redirects=False, ssl=self._way.tls
                )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return Answer(fault=fault_of(error), text=self._shown(f"{type(error).__name__}: {error}"))
        text = await _beginning(response, deadline)
        return Answer(
            status=response.status,
            retry_after=response.headers.get("Retry-After"),
            text=self._shown(text.decode("utf-8", "replace")),
        )

    def _headers(self, identity: str, body: bytes) -> dict[str, str]:
        post = Post(
            identity=identity,
            timestamp=int(self._clock.now().timestamp()),
            body=body,
            token=self._secrets.get(WEBHOOK_TOKEN),
            signing_keys=self._keys(),
        )
        return FIXED_HEADERS | dict(self._receiver.headers(post))

    def _keys(self) -> tuple[bytes, ...]:
        return tuple(signing_key(secret) for secret in self._signing())

    def _shown(self, text: str) -> str:
        """The beginning of the text, without our secrets: some receivers repeat the request in their errors."""
        for secret in filter(None, (self._secrets.get(WEBHOOK_TOKEN), *self._signing())):
            text = text.replace(secret.reveal(), "***")
        return text[:TEXT_LIMIT]


async def _beginning(response: aiohttp.ClientResponse, deadline: float) -> bytes:
    """Up to ANSWER_LIMIT bytes of the answer. The status has told what counts: a body that breaks off ends there."""
    parts: list[bytes] = []
    left = ANSWER_LIMIT
    try:
        async with asyncio.timeout_at(deadline):
            while left > 0 and (part := await response.content.read(left)):
                parts.append(part)
                left -= len(part)
    except (aiohttp.ClientError, TimeoutError, OSError):
        left = 0
    finally:
        if left > 0:
            response.release()  # read to its end: the connection serves the next post
        else:
            response.close()
    return b"".join(parts)
