"""TLS to PostgreSQL: the server that is meant is talked to, and no other."""

from __future__ import annotations

import asyncio
import re
import shutil
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from msgspec.structs import replace

from ops.devstack.stack import Stack
from ops.devstack.tls_front import Front, front_of
from schemas.errors import SettingsRefused
from schemas.settings import Settings
from streams.adapters.database import connect, create_pool
from tests.certificates import Authority, needs_openssl
from tests.integration.conftest import Database
from tests.programs import run_text

pytestmark = needs_openssl


@pytest_asyncio.fixture
async def server(postgres: Stack) -> AsyncIterator[Front]:
    async with front_of(postgres.postgres.port) as front:
        yield front


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def verified(database: Database, server: Front, authority: Authority, **changes: Any) -> Settings:
    address = re.sub(r":\d+/", f":{server.port}/", database.settings.database_url)
    files = {"database_sslmode": "verify-full", "database_cacert": str(authority.certificate)} | {
        "database_url": address
    }
    return replace(database.settings, **files | changes)


@pytest.mark.checks("TLS_1", "TLS_2")
async def test_the_server_is_who_its_certificate_says(
    server: Front, database: Database, authority: Authority, tmp_path: Path
) -> None:
    settings = verified(database, server, authority)
    with pytest.raises(ConnectionError, match="SSL"):  # it offers none
        await connect(settings, database.secrets)
    server.shows(authority.issue("right"))
    async with await create_pool(settings, database.secrets, size=1) as pool:
        assert await pool.fetchval("SELECT 1") == 1
    assert server.shown[-1][1] in ("TLSv1.2", "TLSv1.3")
    stranger = Authority(tmp_path / "stranger")
    wrong = {
        "IP address mismatch": authority.issue("elsewhere", "DNS:db.example"),
        "certificate has expired": authority.issue("expired", days=-1),
        "unable to get local issuer certificate": stranger.issue("unknown"),
    }
    for why, pair in wrong.items():
        server.shows(pair)
        with pytest.raises(ssl.SSLCertVerificationError, match=why):
            await connect(settings, database.secrets)
    done = await asyncio.to_thread(run_text, "mutt", "migrate", "--check", environment=settings.to_env(), within=120)
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr == (
        "mutt: TLS with PostgreSQL fails: unable to get local issuer certificate; check MUTT_DATABASE_URL and"
        " MUTT_DATABASE_CACERT\n"
    )


@pytest.mark.checks("TLS_3")
async def test_a_pool_follows_files_that_are_replaced_and_shows_its_own_certificate(
    server: Front, database: Database, authority: Authority, tmp_path: Path
) -> None:
    """Each new connection reads them."""
    trusted = tmp_path / "trusted.pem"
    ours, second = authority.issue("mutt"), Authority(tmp_path / "second")
    shutil.copyfile(authority.certificate, trusted)
    settings = verified(
        database,
        server,
        authority,
        database_cacert=str(trusted),
        database_cert=str(ours.certificate),
        database_key=str(ours.key),
    )
    server.shows(authority.issue("first"), authority.certificate)
    async with await create_pool(settings, database.secrets, size=1) as pool:
        assert await pool.fetchval("SELECT 1") == 1
        assert server.shown[-1][0]["subject"] == ((("commonName", "mutt"),),)
        server.shows(second.issue("other"), authority.certificate)
        await pool.expire_connections()
        with pytest.raises(ssl.SSLCertVerificationError):
            await pool.fetchval("SELECT 1")
        trusted.write_text("half a fi")
        with pytest.raises(ConnectionError, match="holds no certificate"):
            await pool.fetchval("SELECT 1")
        shutil.copyfile(second.certificate, trusted)
        assert await pool.fetchval("SELECT 1") == 1


async def test_files_that_cannot_be_used_are_named(
    server: Front, database: Database, authority: Authority, tmp_path: Path
) -> None:
    pair, junk = authority.issue("ours"), tmp_path / "junk"
    junk.write_text("no certificate")
    junk.chmod(0o600)
    cert, key = str(pair.certificate), str(pair.key)
    refused: list[tuple[dict[str, str], str]] = [
        ({"database_cacert": "/nowhere"}, r"MUTT_DATABASE_CACERT='/nowhere' cannot be read: No such file"),
        ({"database_cacert": str(junk)}, "holds no certificate"),
        ({"database_cert": cert}, "MUTT_DATABASE_CERT and MUTT_DATABASE_KEY belong together"),
        ({"database_cert": cert, "database_key": str(junk)}, "are no certificate and its key"),
    ]
    for changes, why in refused:
        with pytest.raises(SettingsRefused, match=why):
            await connect(verified(database, server, authority, **changes), database.secrets)
    pair.key.chmod(0o644)
    with pytest.raises(SettingsRefused, match="is open to others; run: chmod 600"):
        await connect(verified(database, server, authority, database_cert=cert, database_key=key), database.secrets)
