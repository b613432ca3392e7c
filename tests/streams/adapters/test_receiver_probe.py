"""The question to a webhook receiver: no alert, no token, no redirect, bounded in time whatever comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from yarl import URL

from streams.adapters.egress import Way
from streams.adapters.receiver_probe import WebhookProbe
from streams.core.delivery import Answer, Fault
from tests.contracts.receiver_probe import Asked, ReceiverProbeContract


class WireReceiver:
    """A server on loopback that answers with bytes of the test's choice."""

    def __init__(self) -> None:
        self.heads: list[str] = []
        self.reply = b""
        self.hangs = False
        self.probe: WebhookProbe

    def answer(self, answer: Answer) -> None:
        self.reply = b"" if answer.status is None else f"HTTP/1.1 {answer.status} X\r\n\r\n".encode()

    @property
    def alerts(self) -> int:
        return sum(not head.startswith("HEAD ") for head in self.heads)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
            writer.write(self.reply)
            await writer.drain()
            if self.hangs:
                await reader.read()
        except (OSError, asyncio.IncompleteReadError):
            pass  # the probe hung up
        finally:
            writer.close()


@asynccontextmanager
async def wire(*, timeout_s: float = 5.0) -> AsyncIterator[WireReceiver]:
    receiver = WireReceiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    receiver.probe = WebhookProbe(Way(URL(f"http://127.0.0.1:{port}/alerts")), timeout_s=timeout_s)
    yield receiver
    server.close()


class TestWebhookProbe(ReceiverProbeContract):
    @pytest.fixture
    async def asked(self) -> AsyncIterator[Asked]:
        async with wire() as receiver:
            yield receiver


async def test_it_says_who_asks_and_nothing_secret() -> None:
    async with wire() as receiver:
        receiver.answer(Answer(status=405))
        await receiver.probe.ask()
    line, *headers = receiver.heads[0].rstrip().split("\r\n")
    assert line == "HEAD /alerts HTTP/1.1"
    assert {header.split(":")[0] for header in headers} == {"Host", "User-Agent", "Accept", "Accept-Encoding"}


@pytest.mark.checks("EGRESS_3")
async def test_a_redirect_is_not_followed() -> None:
    async with wire() as receiver:
        receiver.reply = b"HTTP/1.1 302 X\r\nLocation: /elsewhere\r\n\r\n"
        assert (await receiver.probe.ask()).status == 302
    assert len(receiver.heads) == 1


async def test_silence_is_a_timeout() -> None:
    async with wire(timeout_s=0.2) as receiver:
        receiver.hangs = True
        assert (await receiver.probe.ask()).fault is Fault.TIMEOUT


async def test_a_body_that_is_announced_is_not_waited_for() -> None:
    async with wire() as receiver:
        receiver.hangs = True
        receiver.reply = b"HTTP/1.1 200 X\r\nContent-Length: 1000000\r\n\r\n"
        assert (await receiver.probe.ask()).status == 200
