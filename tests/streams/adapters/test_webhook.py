"""The webhook receiver over HTTP: the sink's contract, what is sent, and receivers that behave badly."""

from __future__ import annotations

import asyncio
import base64
import inspect
import ssl
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from standardwebhooks import Webhook
from yarl import URL

from schemas.errors import SettingsRefused
from schemas.secret_names import WEBHOOK_SIGNING, WEBHOOK_SIGNING_NEXT, WEBHOOK_TOKEN
from schemas.secrets import Secret
from streams.adapters.egress import Way, receiver_url
from streams.adapters.webhook import ANSWER_LIMIT, WebhookSink, fault_of
from streams.clock import SystemClock
from streams.core.delivery import Answer, Fault
from streams.core.receivers.moogsoft import MOOGSOFT
from streams.core.receivers.receiver import Receiver as Kind
from tests.contracts.sink import Receiver, SinkContract
from tests.fakes_forward import FakeSink
from tests.toy_receiver import TOY

SIGNING = "whsec_" + base64.b64encode(b"k" * 32).decode()
TOKEN = "a-token-of-the-test"
NAMED = ("127.0.0.1", "no-such-host.invalid")
ALERT = uuid.UUID("6f1d4c1e-6a53-5b8e-9b57-0c6d75747421")


class Secrets:
    """The SecretSource port with fixed values."""

    def __init__(self, **values: str) -> None:
        self._values = values

    def get(self, name: str) -> Secret | None:
        return Secret(self._values[name]) if name in self._values else None


class Request:
    """One request as it came over the wire."""

    def __init__(self, head: bytes, body: bytes) -> None:
        line, *headers = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        self.line = line
        self.headers = {name.lower(): value for name, value in (header.split(": ", 1) for header in headers)}
        self.body = body


Reply = Callable[[asyncio.StreamWriter], Awaitable[None]]


class WireReceiver:
    """A server on loopback that answers with bytes of the test's choice."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.reply: Reply = says(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        self.connections = 0
        self.sink: WebhookSink

    def answer(self, answer: Answer) -> None:
        if answer.status is None:
            self.reply = says(b"")
            return
        head = f"HTTP/1.1 {answer.status} X\r\nConnection: close\r\nContent-Length: {len(answer.text)}\r\n"
        again = f"Retry-After: {answer.retry_after}\r\n" if answer.retry_after else ""
        self.reply = says(f"{head}{again}\r\n{answer.text}".encode())

    @property
    def received(self) -> list[tuple[str, bytes]]:
        return [(request.headers["webhook-id"], request.body) for request in self.requests]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            request = Request(head, b"")
            request.body = await reader.readexactly(int(request.headers["content-length"]))
            self.requests.append(request)
            await self.reply(writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the sink hung up
        finally:
            writer.close()


def says(answer: bytes) -> Reply:
    async def reply(writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()

    return reply


@asynccontextmanager
async def wire(
    *, timeout_s: float = 5.0, secrets: Secrets | None = None, kind: Kind = MOOGSOFT, host: str = "127.0.0.1"
) -> AsyncIterator[WireReceiver]:
    receiver = WireReceiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    url = URL(f"http://{host}:{port}/alerts")
    async with WebhookSink(Way(url), secrets or Secrets(), SystemClock(), timeout_s=timeout_s, receiver=kind) as sink:
        receiver.sink = sink
        yield receiver
    server.close()


class TestFakeSink(SinkContract):
    @pytest.fixture
    def receiver(self) -> Receiver:
        class Fake:
            sink = FakeSink()

            def answer(self, answer: Answer) -> None:
                self.sink.default = answer

            @property
            def received(self) -> list[tuple[str, bytes]]:
                return [(str(alert), body) for alert, body in self.sink.posts]

        return Fake()


class TestWebhookSink(SinkContract):
    @pytest.fixture
    async def receiver(self) -> AsyncIterator[Receiver]:
        async with wire() as receiver:
            yield receiver


async def test_the_headers_are_a_fixed_set() -> None:
    async with wire(secrets=Secrets(**{WEBHOOK_TOKEN: TOKEN, WEBHOOK_SIGNING: SIGNING})) as receiver:
        await receiver.sink.post(ALERT, b'{"source_id":"a\\r\\nX-Evil: 1"}')
        (request,) = receiver.requests
        assert request.line == "POST /alerts HTTP/1.1"
        assert set(request.headers) == {
            "host", "content-type", "content-length", "user-agent", "accept", "accept-encoding",
            "authorization", "webhook-id", "webhook-timestamp", "webhook-signature",
        }  # fmt: skip
        assert request.headers["authorization"] == f"Bearer {TOKEN}"
        assert request.headers["webhook-id"] == str(ALERT)
        Webhook(SIGNING).verify(request.body, request.headers)


async def test_the_trace_context_goes_along() -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with wire() as receiver:
        await receiver.sink.post(ALERT, b"{}", trace)
        (request,) = receiver.requests
        assert request.headers["traceparent"] == trace


async def test_another_receiver_has_headers_of_its_own() -> None:
    async with wire(secrets=Secrets(**{WEBHOOK_TOKEN: TOKEN}), kind=TOY) as receiver:
        await receiver.sink.post(ALERT, b"{}")
        assert set(receiver.requests[0].headers) == {
            "host", "content-type", "content-length", "user-agent", "accept", "accept-encoding",
            "x-room-key", "idempotency-key",
        }  # fmt: skip
        assert receiver.requests[0].headers["x-room-key"] == TOKEN


async def test_of_two_live_signing_secrets_both_sign() -> None:
    other = "whsec_" + base64.b64encode(b"o" * 32).decode()
    async with wire(secrets=Secrets(**{WEBHOOK_SIGNING: SIGNING, WEBHOOK_SIGNING_NEXT: other})) as receiver:
        await receiver.sink.post(ALERT, b"{}")
        for key in (SIGNING, other):
            Webhook(key).verify(receiver.requests[0].body, receiver.requests[0].headers)


async def test_without_secrets_neither_token_nor_signature_is_sent() -> None:
    async with wire() as receiver:
        await receiver.sink.post(ALERT, b"{}")
        assert not {"authorization", "webhook-signature"} & set(receiver.requests[0].headers)


@pytest.mark.checks("EGRESS_3")
async def test_proxies_from_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    async with wire() as receiver:
        assert (await receiver.sink.post(ALERT, b"{}")).status == 200


@pytest.mark.proves("receiver.wrong")
async def test_W1_an_endless_answer_is_read_to_its_limit_and_counts_by_its_status() -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5000000000\r\nContent-Encoding: gzip\r\n\r\n")
        for _ in range(1000):
            writer.write(b"x" * ANSWER_LIMIT)
            await writer.drain()

    async with wire() as receiver:
        receiver.reply = endless
        answer = await receiver.sink.post(ALERT, b"{}")
        assert answer.status == 200
        assert len(answer.text) <= 1024


@pytest.mark.proves("receiver.slow")
async def test_W1_an_answer_that_trickles_ends_at_the_timeout_and_counts_by_its_status() -> None:
    async def trickle(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 503 X\r\nRetry-After: 9\r\nContent-Length: 100\r\n\r\nbusy")
        await writer.drain()
        await asyncio.Event().wait()

    async with wire(timeout_s=0.3) as receiver:
        receiver.reply = trickle
        answer = await receiver.sink.post(ALERT, b"{}")
        assert (answer.status, answer.fault, answer.text, answer.retry_after) == (503, None, "busy", "9")


@pytest.mark.parametrize("extra", [b"X-Y: z\r\n" * 10_000, b""])
async def test_W1_many_headers_and_many_interim_answers(extra: bytes) -> None:
    async with wire() as receiver:
        interim = b"" if extra else b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 100
        receiver.reply = says(interim + b"HTTP/1.1 200 OK\r\n" + extra + b"Content-Length: 0\r\n\r\n")
        assert (await receiver.sink.post(ALERT, b"{}")).status == 200


async def test_no_answer_in_time_is_a_timeout() -> None:
    async def silence(writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with wire(timeout_s=0.2) as receiver:
        receiver.reply = silence
        assert (await receiver.sink.post(ALERT, b"{}")).fault is Fault.TIMEOUT


@pytest.mark.parametrize("target", ["http://169.254.169.254/latest", "file:///etc/passwd", "/alerts", "http://["])
@pytest.mark.proves("receiver.wrong")
@pytest.mark.checks("EGRESS_3")
async def test_W2_redirects_are_not_followed(target: str) -> None:
    async with wire() as receiver:
        receiver.reply = says(f"HTTP/1.1 307 X\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode())
        assert (await receiver.sink.post(ALERT, b"{}")).status == 307
        assert len(receiver.requests) == 1


@pytest.mark.checks("EGRESS_3")
async def test_cookies_of_the_receiver_do_not_come_back_to_it() -> None:
    """By name: no library keeps cookies of an address."""
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nSet-Cookie: a=b; Path=/\r\nContent-Length: 0\r\n\r\n"
    async with wire(host="localhost") as receiver:
        receiver.reply = says(head)
        for _ in range(2):
            assert (await receiver.sink.post(ALERT, b"{}")).status == 200
        assert [request.headers.get("cookie") for request in receiver.requests] == [None, None]


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 abc\r\n\r\n", b"<html>HTTP/0.9</html>", b"\0\1\2", b"HTTP/1.1 200 OK\r\nBad Header\r\n\r\n", b""],
)
async def test_W4_W9_what_is_no_answer_of_HTTP_is_a_connection_fault(answer: bytes) -> None:
    async with wire() as receiver:
        receiver.reply = says(answer)
        assert (await receiver.sink.post(ALERT, b"{}")).fault is Fault.CONNECTION


async def test_nobody_listening_and_names_that_do_not_resolve_are_connection_faults() -> None:
    for url in ("http://127.0.0.1:1/alerts", "http://no-such-host.invalid/alerts"):
        async with WebhookSink(Way(URL(url), allowed=NAMED), Secrets(), SystemClock(), timeout_s=5.0) as sink:
            assert (await sink.post(ALERT, b"{}")).fault in (Fault.CONNECTION, Fault.TIMEOUT)


async def test_W5_a_receiver_that_speaks_no_TLS_is_a_connection_fault() -> None:
    async with wire() as receiver:
        receiver.reply = says(b"HTTP/1.1 200 OK\r\n\r\n")
        url = receiver.sink._way.url.with_scheme("https")
        async with WebhookSink(Way(url), Secrets(), SystemClock(), timeout_s=2.0) as sink:
            assert (await sink.post(ALERT, b"{}")).fault is not None


async def test_a_receiver_that_repeats_the_token_does_not_bring_it_into_our_tables() -> None:
    async with wire(secrets=Secrets(**{WEBHOOK_TOKEN: TOKEN})) as receiver:
        receiver.answer(Answer(status=400, text=f"bad header Authorization: Bearer {TOKEN}"))
        answer = await receiver.sink.post(ALERT, b"{}")
        assert answer.text == "bad header Authorization: Bearer ***"


def test_every_error_of_aiohttp_is_a_fault() -> None:
    members = inspect.getmembers(aiohttp, inspect.isclass)
    classes: list[Any] = [each for _, each in members if issubclass(each, aiohttp.ClientError)]
    assert len(classes) > 15
    classes += [TimeoutError, OSError, ConnectionResetError, ssl.SSLError, ssl.SSLCertVerificationError]
    for each in classes:
        wanted = Fault.TIMEOUT if issubclass(each, TimeoutError) else Fault.CONNECTION
        assert fault_of(each.__new__(each)) is wanted
    assert fault_of(KeyError("ours")) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "receiver/alerts",
        "ftp://h/",
        "file:///x",
        "http://",
        "http://u:p@h/",
        "http://u@h/",
        "http://h/#x",
        "http://[",
        "http://a b/",
        "http://h\r\nX: y/",
        "http://a\u3000b/",
        "http://h,g/",
        "http://[fe8ffff:127.0.0.1]/",
        "http://[fe80::1%25eth\x01]/",
        "http://a[e:]:@/",
        "http://*/",
    ],
)
def test_W7_an_address_that_is_no_plain_URL_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(SettingsRefused) as refused:
        receiver_url(text)
    assert "u:p" not in str(refused.value)


def test_a_signing_secret_that_is_not_well_formed_is_refused_at_the_start() -> None:
    with pytest.raises(SettingsRefused):
        WebhookSink(Way(URL("https://h/")), Secrets(**{WEBHOOK_SIGNING: "whsec_!"}), SystemClock(), timeout_s=1.0)
