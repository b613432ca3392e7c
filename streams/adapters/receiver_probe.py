"""A question to the webhook receiver that is no alert: HEAD on its address.

HEAD is what HTTP has for it: it asks for nothing to be done (RFC 9110, 9.2.1), so no receiver makes an alert of it,
and unlike a connection alone it goes through the proxy or balancer in front to whoever answers for that address. (A
post with a made-up alert would prove more, and be one alert more; OPTIONS is often answered in front.) The token stays
at home, since 401 says as well as 204 that somebody is there. Whether it takes alerts the tables tell.
"""

from __future__ import annotations

import asyncio

import aiohttp

from streams.adapters.egress import Way
from streams.adapters.webhook import FIXED_HEADERS, fault_of
from streams.core.delivery import Answer


class WebhookProbe:
    """Implements the ReceiverProbe port; `timeout_s` bounds one question whole."""

    def __init__(self, way: Way, *, timeout_s: float) -> None:
        self._way = way
        self._timeout_s = timeout_s

    async def ask(self) -> Answer:
        """On a connection of its own, which is closed with whatever the answer holds: no body is read."""
        try:
            async with asyncio.timeout(self._timeout_s), self._session() as session:
                response = await session.head(self._way.url, headers=_HEADERS, allow_redirects=False, ssl=self._way.tls)
                response.close()
                return Answer(status=response.status)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return Answer(fault=fault_of(error))

    def _session(self) -> aiohttp.ClientSession:
        return self._way.open_session(self._timeout_s, connections=1)


_HEADERS = {name: value for name, value in FIXED_HEADERS.items() if name != "Content-Type"}
