"""What stands around a rotation: a receiver that checks each post, and clients that ask without a pause."""

from __future__ import annotations

import asyncio
import base64
import itertools
import secrets as randomness
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError


def made_signing() -> str:
    return "whsec_" + base64.b64encode(randomness.token_bytes(32)).decode()


@dataclass
class Receiver:
    """Takes what shows a token and a signature that it knows; 401 for all else."""

    tokens: set[str]
    signing: set[str]
    posts: Counter[str] = field(default_factory=Counter)
    seen: Counter[tuple[str, int]] = field(default_factory=Counter)
    """Posts by token, and by how many signatures they had."""
    certificates: set[str] = field(default_factory=set)
    """Serial numbers of those that posts were shown with."""
    refused: int = 0
    url: str = ""

    async def receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        token = request.headers["Authorization"].removeprefix("Bearer ")
        if token not in self.tokens or not any(self._fits(key, body, request) for key in self.signing):
            self.refused += 1
            return web.Response(status=401)
        self.posts[request.headers["webhook-id"]] += 1
        if certificate := request.get_extra_info("peercert"):
            self.certificates.add(certificate["serialNumber"])
        self.seen[token, len(request.headers["webhook-signature"].split())] += 1
        return web.Response()

    @staticmethod
    def _fits(key: str, body: bytes, request: web.Request) -> bool:
        with suppress(WebhookVerificationError):
            Webhook(key).verify(body, dict(request.headers))
            return True
        return False


@asynccontextmanager
async def listening(receiver: Receiver, tls: ssl.SSLContext | None = None) -> AsyncIterator[None]:
    app = web.Application()
    app.router.add_post("/alerts", receiver.receive)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    receiver.url = f"http{'s' if tls else ''}://127.0.0.1:{runner.addresses[0][1]}/alerts"
    try:
        yield
    finally:
        await runner.cleanup()


@dataclass
class Clients:
    """One that hands in events and one that reads, both without a pause; `key` may be changed."""

    port: int
    key: str
    tls: ssl.SSLContext | None = None
    """Whom it believes; None: the API speaks no TLS."""
    answers: Counter[int] = field(default_factory=Counter)
    accepted: int = 0
    ended: bool = False
    """Set, what is under way is finished, and nothing more begins."""

    async def run(self) -> None:
        async with self.session() as session, asyncio.TaskGroup() as tasks:
            tasks.create_task(self._hand_in(session))
            tasks.create_task(self._read(session))

    async def _hand_in(self, session: aiohttp.ClientSession) -> None:
        for number in itertools.takewhile(lambda _: not self.ended, itertools.count()):
            event = {"timestamp": "2026-03-01T12:00:00Z", "hostname": f"h{number % 50}", "message": "link down"}
            async with session.post(self.url("/api/v2/events"), json=event, headers=self._head()) as answer:
                await answer.read()
                self.answers[answer.status] += 1
                self.accepted += answer.status == 202
            await asyncio.sleep(0.02)

    async def _read(self, session: aiohttp.ClientSession) -> None:
        while not self.ended:
            async with session.get(self.url("/api/v2/audit-logs?limit=1"), headers=self._head()) as answer:
                await answer.read()
                self.answers[answer.status] += 1
            await asyncio.sleep(0.02)

    def session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=self.tls or True))

    def url(self, path: str) -> str:
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}{path}"

    def _head(self) -> dict[str, str]:
        return {"X-API-KEY": self.key}


@asynccontextmanager
async def asking(clients: Clients) -> AsyncIterator[None]:
    task = asyncio.create_task(clients.run())
    try:
        yield
        clients.ended = True
        await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
