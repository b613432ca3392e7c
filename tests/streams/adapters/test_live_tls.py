"""Files of TLS that are replaced under a client that keeps what it was given once, as those of Kafka do."""

from __future__ import annotations

import asyncio
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from schemas.settings import Settings
from streams.adapters.broker_access import BrokerAccess, connection
from streams.adapters.secrets import FileSecrets
from tests.certificates import Authority, Pair, needs_openssl

pytestmark = needs_openssl


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> tuple[Authority, Authority]:
    folder = tmp_path_factory.mktemp("authorities")
    return Authority(folder / "first"), Authority(folder / "second")


def of_kafka(folder: Path) -> ssl.SSLContext:
    """What the Kafka client keeps as long as it lives, over files of this folder."""
    files = {name: str(folder / name) for name in ("kafka_cacert", "kafka_cert", "kafka_key")}
    settings = Settings(kafka_security="ssl", **files)
    kept = connection(BrokerAccess(settings, FileSecrets(None)))["ssl_context"]
    assert isinstance(kept, ssl.SSLContext)
    return kept


def put(folder: Path, pair: Pair) -> None:
    """First the chain, then the key: in between they do not fit."""
    shutil.copyfile(pair.certificate, folder / "kafka_cert")
    shutil.copyfile(pair.key, folder / "kafka_key")
    (folder / "kafka_key").chmod(0o600)


def trust(folder: Path, *authorities: Authority) -> None:
    (folder / "kafka_cacert").write_text("".join(each.certificate.read_text() for each in authorities))


@asynccontextmanager
async def server(shows: Pair, *trusts: Authority) -> AsyncIterator[int]:
    """Wants a certificate, and answers with the name in it."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(shows.certificate, shows.key)
    for each in trusts:
        context.load_verify_locations(each.certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    async with await asyncio.start_server(_answer, "127.0.0.1", 0, ssl=context) as listening:
        yield listening.sockets[0].getsockname()[1]


async def _answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    [[[_, name]]] = writer.get_extra_info("peercert")["subject"]
    writer.write(name.encode())
    writer.close()


async def shown(port: int, context: ssl.SSLContext) -> str:
    """Who the server says we are. Raises ssl.SSLError."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    try:
        return (await reader.read()).decode()
    finally:
        writer.close()


@pytest.mark.checks("TLS_3")
async def test_each_connection_to_Kafka_shows_the_certificate_of_its_moment(
    authorities: tuple[Authority, Authority], tmp_path: Path
) -> None:
    first, second = authorities
    one, two = first.issue("one"), second.issue("two")
    trust(tmp_path, first)
    put(tmp_path, one)
    kept = of_kafka(tmp_path)
    async with server(first.issue("server"), first, second) as port:
        assert await shown(port, kept) == "one"
        shutil.copyfile(two.certificate, tmp_path / "kafka_cert")
        assert await shown(port, kept) == "one", "chain and key do not fit: the last good pair stays"
        put(tmp_path, two)
        assert await shown(port, kept) == "two"
        (tmp_path / "kafka_key").unlink()
        assert await shown(port, kept) == "two"


@pytest.mark.checks("TLS_3")
async def test_who_vouches_for_the_brokers_is_replaced_too_and_the_old_one_counts_no_more(
    authorities: tuple[Authority, Authority], tmp_path: Path
) -> None:
    first, second = authorities
    trust(tmp_path, first)
    put(tmp_path, first.issue("one"))
    kept = of_kafka(tmp_path)
    async with server(first.issue("old"), first) as old, server(second.issue("new"), first) as new:
        assert await shown(old, kept) == "one"
        with pytest.raises(ssl.SSLCertVerificationError):
            await shown(new, kept)
        trust(tmp_path, first, second)
        assert (await shown(old, kept), await shown(new, kept)) == ("one", "one")
        trust(tmp_path, second)
        assert await shown(new, kept) == "one"
        with pytest.raises(ssl.SSLCertVerificationError):
            await shown(old, kept)
        (tmp_path / "kafka_cacert").write_text("half a fi")
        assert await shown(new, kept) == "one"
