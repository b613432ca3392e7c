"""Whoever shows a certificate past its time, of another name or of a strange authority is not talked to.

PostgreSQL is dialled so in tests/integration/test_database_tls.py.
"""

from __future__ import annotations

import asyncio
import ssl
import uuid
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from schemas.errors import BrokerUnavailable, SecretsUnavailable
from schemas.settings import Settings
from streams.adapters.broker_access import BrokerAccess
from streams.adapters.brokers import check_brokers
from streams.adapters.egress import way_of
from streams.adapters.listening import server_tls
from streams.adapters.secrets import FileSecrets
from streams.adapters.vault import VaultClient
from streams.adapters.webhook import WebhookSink
from streams.clock import SystemClock
from tests.certificates import Authority, Pair, needs_openssl

pytestmark = needs_openssl


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def wrong(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Pair]:
    """By what OpenSSL says of each."""
    return {
        "certificate has expired": authority.issue("expired", days=-1),
        "IP address mismatch": authority.issue("elsewhere", "DNS:elsewhere.example"),
        "unable to get local issuer certificate": Authority(tmp_path_factory.mktemp("strange")).issue("unknown"),
    }


async def kafka(port: int, trusted: str) -> str:
    settings = Settings(kafka_bootstrap=f"127.0.0.1:{port}", kafka_security="ssl", kafka_cacert=trusted)
    with pytest.raises(BrokerUnavailable) as refused:
        await check_brokers(BrokerAccess(settings, FileSecrets(None)))
    return str(refused.value)


async def vault(port: int, trusted: str) -> str:
    """Says no more than that it is refused."""
    client = VaultClient(f"https://127.0.0.1:{port}", mount="secret", ca_file=trusted)
    with pytest.raises(SecretsUnavailable) as refused:
        await asyncio.to_thread(client.read, "any")
    return str(refused.value)


async def receiver(port: int, trusted: str) -> str:
    way = way_of(Settings(webhook_url=f"https://127.0.0.1:{port}/", webhook_cacert=trusted))
    async with WebhookSink(way, FileSecrets(None), SystemClock(), timeout_s=30.0) as sink:
        return (await sink.post(uuid.uuid4(), b"{}")).text


@pytest.mark.parametrize("link", [kafka, vault, receiver])
@pytest.mark.checks("TLS_2")
async def test_a_server_is_who_its_certificate_says(
    link: Callable[[int, str], Awaitable[str]], authority: Authority, wrong: dict[str, Pair]
) -> None:
    for why, pair in wrong.items():
        async with server(pair) as (port, heard):
            said = await link(port, str(authority.certificate))
            assert ("its certificate is refused" if link is vault else why) in said
        assert heard == []


@pytest.mark.checks("TLS_1")
@pytest.mark.parametrize("link", [kafka, vault, receiver])
async def test_a_server_of_TLS_1_1_is_not_talked_to(
    link: Callable[[int, str], Awaitable[str]], authority: Authority
) -> None:
    async with server(authority.issue("old"), dated) as (port, heard):
        assert await link(port, str(authority.certificate))
        assert heard == []
        await greeted(port, authority, authority.issue("as-old"), dated)
        assert heard == [b"hello"]


def dated(context: ssl.SSLContext) -> ssl.SSLContext:
    """TLS 1.1 and nothing else, which the library takes by special request alone."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def current(context: ssl.SSLContext) -> ssl.SSLContext:
    return context


@asynccontextmanager
async def server(
    pair: Pair, how: Callable[[ssl.SSLContext], ssl.SSLContext] = current
) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Where it listens, and what it was told behind TLS."""
    heard: list[bytes] = []
    context = how(ssl.create_default_context(ssl.Purpose.CLIENT_AUTH))
    context.load_cert_chain(pair.certificate, pair.key)

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            if said := await reader.read(1000):
                heard.append(said)
        writer.close()

    async with await asyncio.start_server(hear, "127.0.0.1", 0, ssl=context) as listening:
        yield listening.sockets[0].getsockname()[1], heard


@pytest.mark.checks("TLS_1", "TLS_2")
async def test_a_scraper_past_its_time_or_of_a_strange_authority_is_cut_off(
    authority: Authority, wrong: dict[str, Pair]
) -> None:
    """A client's name is not looked at: whose authority is named in MUTT_METRICS_CLIENT_CA vouches for it."""
    shown = authority.issue("worker")
    context = server_tls(
        Settings(tls_cert=str(shown.certificate), tls_key=str(shown.key), metrics_client_ca=str(authority.certificate))
    )

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"in")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0, ssl=context) as listening:
        port = listening.sockets[0].getsockname()[1]
        outcomes = {why: await greeted(port, authority, pair) for why, pair in wrong.items()}
        assert list(outcomes.values()) == [False, True, False]
        assert await greeted(port, authority, authority.issue("scraper"))
        assert not await greeted(port, authority, authority.issue("scraper"), dated)


async def greeted(
    port: int, authority: Authority, pair: Pair, how: Callable[[ssl.SSLContext], ssl.SSLContext] = current
) -> bool:
    context = how(ssl.create_default_context(cafile=authority.certificate))
    context.load_cert_chain(pair.certificate, pair.key)
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        try:
            writer.write(b"hello")
            return await reader.read() == b"in"
        finally:
            writer.close()
    except OSError:
        return False
