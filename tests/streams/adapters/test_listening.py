"""Who may read /metrics: with a token, with a certificate, or everybody; and files that are replaced meanwhile."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
import uvicorn
from prometheus_client import CollectorRegistry, Counter

from api.app import ANY_ADDRESS, Doors, create_app, resources, some_ports
from api.auth import OneKey
from api.metrics import ApiMetrics
from api.server import listen, served
from schemas.errors import SettingsRefused
from schemas.settings import Settings
from streams.adapters.listening import MetricsDoor, front_of, metrics_door, server_tls
from streams.health import HealthServer
from tests.integration.rsyslog import OPENSSL

TOKEN, NEXT = "a-token-of-sixteen", "the-next-token-of-it"


@pytest.fixture
def token(tmp_path: Path) -> Path:
    return written(tmp_path / "token", TOKEN)


def written(file: Path, text: str, mode: int = 0o600) -> Path:
    file.write_text(text)
    file.chmod(mode)
    return file


def test_a_token_opens_and_two_do_while_one_replaces_the_other(token: Path) -> None:
    door = MetricsDoor(str(token))
    assert door.opens(f"Bearer {TOKEN}", certified=False)
    assert door.opens(f"bearer {TOKEN}", certified=False)
    for wrong in (None, "", TOKEN, f"Basic {TOKEN}", f"Bearer {NEXT}", f"Bearer {TOKEN}x", "Bearer \udcff"):
        assert not door.opens(wrong, certified=False)
    assert not door.opens(None, certified=True), "a certificate that nobody asked for"
    written(token, f"{TOKEN}\n{NEXT}\n")
    assert all(door.opens(f"Bearer {each}", certified=False) for each in (TOKEN, NEXT))
    written(token, NEXT)
    assert not door.opens(f"Bearer {TOKEN}", certified=False)
    token.unlink()
    assert door.opens(f"Bearer {NEXT}", certified=False), "the last good one stays"


@pytest.mark.parametrize("text", ["", "short", f"{TOKEN}\n" * 3])
def test_a_file_that_holds_no_token_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsRefused, match="MUTT_METRICS_TOKEN_FILE"):
        MetricsDoor(str(written(tmp_path / "token", text)))


def test_a_token_that_others_may_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsRefused, match="open to others"):
        MetricsDoor(str(written(tmp_path / "token", TOKEN, 0o644)))
    with pytest.raises(SettingsRefused, match="cannot be read"):
        MetricsDoor(str(tmp_path / "nothing"))


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority; below it the server, another, and a scraper; and a stranger."""
    if OPENSSL is None:
        pytest.skip("openssl is not installed (package openssl)")
    folder = tmp_path_factory.mktemp("keys")
    for name, more in (("ca", ()), ("server", CA), ("other", CA), ("scraper", CA), ("stranger", ())):
        command = [OPENSSL, *NEW, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem", *more]
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=60)
    return folder


NEW = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
       "-addext", "subjectAltName=DNS:localhost")  # fmt: skip
CA = ("-CA", "ca.pem", "-CAkey", "ca.key")


@asynccontextmanager
async def worker(settings: Settings) -> AsyncIterator[int]:
    registry = CollectorRegistry()
    Counter("mutt_test", "A test.", registry=registry)
    server = HealthServer("match", registry, dict, front=front_of(settings))
    await server.start("127.0.0.1", 0)
    assert server.address is not None
    yield server.address[1]
    await server.close()


@asynccontextmanager
async def whole_api(settings: Settings) -> AsyncIterator[int]:
    metrics = ApiMetrics()
    ports = some_ports(metrics=metrics, checks={}, metrics_door=metrics_door(settings))
    app = create_app(resources(ports), Doors(authenticator=OneKey(), hosts=ANY_ADDRESS), metrics)
    listening = listen("127.0.0.1", 0)
    config = served(app, server_tls(settings))
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup(sockets=[listening])
    yield listening.getsockname()[1]
    await server.shutdown(sockets=[listening])


@pytest.mark.parametrize("service", [worker, whole_api])
@pytest.mark.checks("SURFACE_2")
async def test_metrics_of_a_service_open_with_a_certificate_or_the_token_alone(
    service: object, keys: Path, token: Path
) -> None:
    settings = Settings(
        tls_cert=str(keys / "server.pem"), tls_key=str(keys / "server.key"),
        metrics_client_ca=str(keys / "ca.pem"), metrics_token_file=str(token),
    )  # fmt: skip
    async with service(settings) as port:  # type: ignore[operator]
        assert await scraped(port, keys) == 401
        assert await scraped(port, keys, path="/health") == 200
        assert await scraped(port, keys, name="scraper") == 200
        assert await scraped(port, keys, authorization=f"Bearer {TOKEN}") == 200
        assert await scraped(port, keys, authorization=f"Bearer {NEXT}") == 401
        with pytest.raises((aiohttp.ClientError, OSError)):
            await scraped(port, keys, name="stranger")


async def scraped(port: int, keys: Path, *, path: str = "/metrics", name: str = "", authorization: str = "") -> int:
    context = ssl.create_default_context(cafile=keys / "ca.pem")
    if name:
        context.load_cert_chain(keys / f"{name}.pem", keys / f"{name}.key")
    headers = {"Authorization": authorization} if authorization else {}
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"https://localhost:{port}{path}", ssl=context, headers=headers) as answer,
    ):
        return answer.status


@pytest.mark.parametrize("service", [worker, whole_api])
@pytest.mark.checks("TLS_3")
async def test_a_service_follows_its_certificate_and_whose_certificates_open_metrics(
    service: object, keys: Path, tmp_path: Path
) -> None:
    """From the connection that comes next; files that do not fit change nothing."""
    cert, key, clients = (tmp_path / name for name in ("cert", "key", "clients"))
    for source, target in (("server.pem", cert), ("server.key", key), ("ca.pem", clients)):
        written(target, (keys / source).read_text())
    settings = Settings(tls_cert=str(cert), tls_key=str(key), metrics_client_ca=str(clients))
    async with service(settings) as port:  # type: ignore[operator]
        assert await scraped(port, keys, name="scraper") == 200
        first = await certificate(port)
        written(cert, (keys / "other.pem").read_text())
        assert await certificate(port) == first
        written(key, (keys / "other.key").read_text())
        assert await certificate(port) != first
        written(clients, (keys / "stranger.pem").read_text())
        assert await scraped(port, keys, name="stranger") == 200
        with pytest.raises((aiohttp.ClientError, OSError)):
            await scraped(port, keys, name="scraper")


async def certificate(port: int) -> str:
    """What is shown to whoever comes now."""
    return await asyncio.to_thread(ssl.get_server_certificate, ("localhost", port), timeout=30)
