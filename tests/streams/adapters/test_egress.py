"""Hundreds of addresses that lead where no receiver is: none is dialled; a listener on the forbidden side tells."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp.abc import AbstractResolver
from yarl import URL

from schemas.errors import SettingsRefused
from schemas.settings import Settings
from streams.adapters.egress import Way, receiver_url, way_of
from streams.adapters.receiver_probe import WebhookProbe
from streams.adapters.tls import TlsFiles, client_tls
from streams.adapters.webhook import WebhookSink
from streams.clock import SystemClock
from streams.core.delivery import Answer, Fault
from tests.integration.rsyslog import OPENSSL

ALERT = uuid.UUID("6f1d4c1e-6a53-5b8e-9b57-0c6d75747421")
PUBLIC = "93.184.215.14"
NAME = "receiver.test"
TLS = client_tls(TlsFiles())


class Vector(msgspec.Struct, frozen=True):
    about: str
    url: str
    """With `{port}` for that of the listener."""
    to: tuple[str, ...] = ("127.0.0.1",)
    """What every name resolves to."""
    named: bool = False
    """Whether the name receiver.test is allowed."""


VECTORS = msgspec.json.Decoder(Vector).decode_lines(Path(__file__).with_name("ssrf_vectors.jsonl").read_bytes())


class NoSecrets:
    def get(self, name: str) -> None:
        return None


class Names(AbstractResolver):
    """A DNS of the test: every name leads to the next of these answers, the last one for good."""

    def __init__(self, *answers: tuple[str, ...]) -> None:
        self._answers = list(answers)

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[Any]:
        found = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return [
            {"hostname": host, "host": each, "port": port, "proto": 0, "flags": socket.AI_NUMERICHOST,
             "family": socket.AF_INET6 if ":" in each else socket.AF_INET}
            for each in found
        ]  # fmt: skip

    async def close(self) -> None:
        """Nothing is open."""


class Loop(asyncio.SelectorEventLoop):
    """Notes what is dialled; only this machine is really reached."""

    def __init__(self) -> None:
        super().__init__()
        self.dialled: list[str] = []

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        self.dialled.append(address[0])
        if address[0] not in ("127.0.0.1", "::1"):
            raise ConnectionRefusedError(f"{address[0]} is not reached from a test")
        await super().sock_connect(sock, address)


class World:
    """A listener on every address of this machine, and what was dialled."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self.connections = 0
        self.port = 0

    @property
    def dialled(self) -> list[str]:
        return self._loop.dialled

    async def listen(self) -> asyncio.Server:
        both = socket.has_dualstack_ipv6()
        family = socket.AF_INET6 if both else socket.AF_INET
        listening = socket.create_server(("", 0), family=family, dualstack_ipv6=both)
        self.port = listening.getsockname()[1]
        return await asyncio.start_server(self._serve, sock=listening)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        await answering(reader, writer)


async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """200 to whatever comes."""
    with suppress(OSError, asyncio.IncompleteReadError):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
    writer.close()


def inside(work: Callable[[World], Awaitable[None]]) -> World:
    """The world after the work, which ran in a loop that notes what is dialled."""

    async def whole() -> World:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, Loop)
        world = World(loop)
        async with await world.listen():
            await work(world)
        return world

    with asyncio.Runner(loop_factory=Loop) as runner:
        return runner.run(whole())


async def post(way: Way) -> Answer:
    async with WebhookSink(way, NoSecrets(), SystemClock(), timeout_s=30.0) as sink:  # type: ignore[arg-type]
        return await sink.post(ALERT, b"{}")


async def tried(vector: Vector, port: int) -> str:
    """Why it went nowhere: refused as a setting, or as an address when it was to be dialled; empty if it went."""
    allowed = (NAME,) if vector.named else ()
    try:
        url = receiver_url(vector.url.replace("{port}", str(port)))
        way = Way(url, allowed=allowed, tls=TLS, resolver=Names(vector.to))
    except SettingsRefused as refused:
        return f"setting: {refused}"
    answers = [await post(way), await WebhookProbe(way, timeout_s=30.0).ask()]
    if any(answer.fault is not Fault.CONNECTION for answer in answers):
        return ""
    return answers[0].text


@pytest.mark.checks("EGRESS_2")
def test_SSRF_no_vector_connects() -> None:
    """Also the control: the very same listener is reached where loopback is allowed by name."""
    assert len(VECTORS) >= 300
    outcomes: dict[Vector, str] = {}

    async def all_of_them(world: World) -> None:
        for vector in VECTORS:
            outcomes[vector] = await tried(vector, world.port)
        assert (world.connections, world.dialled) == (0, [])
        answer = await post(Way(URL(f"http://localhost:{world.port}/"), resolver=Names(("127.0.0.1",))))
        assert answer.status == 200

    world = inside(all_of_them)
    assert world.connections == 1
    assert [vector for vector, why in outcomes.items() if not why] == []
    by_address = [vector for vector, why in outcomes.items() if "is not dialled" in why]
    assert len(by_address) > 200, "most are judged by their address, not because they are no URL"
    assert {
        why for vector, why in outcomes.items() if vector.to != ("127.0.0.1",) and "not dialled" not in why
    } == set()


@pytest.mark.checks("EGRESS_2")
def test_SSRF_a_name_that_leads_elsewhere_the_second_time_is_looked_at_when_it_is_dialled() -> None:
    async def twice(world: World) -> None:
        way = Way(URL(f"https://{NAME}:{world.port}/"), allowed=(NAME,), resolver=Names((PUBLIC,), ("127.0.0.1",)))
        for _ in range(3):
            assert (await post(way)).fault is Fault.CONNECTION

    world = inside(twice)
    assert (world.dialled, world.connections) == ([PUBLIC], 0)


@pytest.mark.checks("EGRESS_2")
def test_SSRF_of_several_addresses_only_those_are_dialled_that_may_be() -> None:
    async def mixed(world: World) -> None:
        answers = ("127.0.0.1", PUBLIC, "::1", "169.254.169.254")
        assert (
            await post(Way(URL(f"https://{NAME}:{world.port}/"), resolver=Names(answers)))
        ).fault is Fault.CONNECTION

    world = inside(mixed)
    assert (set(world.dialled), world.connections) == ({PUBLIC}, 0)


def test_a_private_receiver_is_dialled_where_its_name_is_allowed() -> None:
    async def private(world: World) -> None:
        for allowed in ((), (NAME,)):
            await post(Way(URL(f"https://{NAME}:{world.port}/"), allowed=allowed, resolver=Names(("10.0.0.1",))))

    assert inside(private).dialled == ["10.0.0.1"]


@pytest.mark.checks("EGRESS_1", "TLS_4")
def test_plain_http_is_refused_unless_the_host_is_allowed_by_name() -> None:
    with pytest.raises(SettingsRefused, match="plain http; use https, or name its host in MUTT_WEBHOOK_ALLOWED_HOSTS"):
        way_of(Settings(webhook_url="http://alerts.example.org/"))
    way_of(Settings(webhook_url="http://alerts.example.org/", webhook_allowed_hosts="alerts.example.org"))
    way_of(Settings())


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An authority, and below it a receiver named localhost and a client; and a client of nobody's."""
    if OPENSSL is None:
        pytest.skip("openssl is not installed (package openssl)")
    folder = tmp_path_factory.mktemp("keys")
    new = (OPENSSL, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-x509", "-days", "2")
    by_ca = ("-CA", "ca.pem", "-CAkey", "ca.key")
    for name, more in {
        "ca": (), "receiver": (*by_ca, "-addext", "subjectAltName=DNS:localhost"), "client": by_ca, "stranger": (),
    }.items():  # fmt: skip
        command = [*new, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem", *more]
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=60)
        (folder / f"{name}.key").chmod(0o600)
    return folder


def pair_of(cert: Path, key: Path) -> dict[str, str]:
    return {"webhook_client_cert": str(cert), "webhook_client_key": str(key)}


def tls_files(**settings: str | None) -> TlsFiles:
    return TlsFiles.of(Settings(**settings), "webhook", ours="webhook_client")  # type: ignore[arg-type]


def serving(keys: Path) -> ssl.SSLContext:
    """A receiver that asks for a certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=keys / "ca.pem")
    context.load_cert_chain(keys / "receiver.pem", keys / "receiver.key")
    context.verify_mode = ssl.CERT_REQUIRED
    return context


@pytest.mark.checks("TLS_2")
def test_the_receiver_may_ask_for_a_certificate_of_ours_and_must_have_one_itself(keys: Path) -> None:
    def files(name: str | None, *, authorities: bool = True) -> TlsFiles:
        ours = {} if name is None else pair_of(keys / f"{name}.pem", keys / f"{name}.key")
        return tls_files(webhook_cacert=str(keys / "ca.pem") if authorities else None, **ours)

    async def asks(server: ssl.SSLContext, files: TlsFiles, host: str = "localhost") -> Answer:
        async with await asyncio.start_server(answering, "127.0.0.1", 0, ssl=server) as listening:
            port = listening.sockets[0].getsockname()[1]
            return await post(
                Way(URL(f"https://{host}:{port}/"), tls=client_tls(files), resolver=Names(("127.0.0.1",)))
            )

    async def all_of_them() -> None:
        assert (await asks(serving(keys), files("client"))).status == 200
        assert (await asks(serving(keys), files(None))).fault is Fault.CONNECTION
        assert (await asks(serving(keys), files("stranger"))).fault is Fault.CONNECTION
        assert (await asks(serving(keys), files("client", authorities=False))).fault is Fault.CONNECTION
        assert (await asks(serving(keys), files("client"), "127.0.0.1")).fault is Fault.CONNECTION
        old = serving(keys)
        old.minimum_version, old.maximum_version = ssl.TLSVersion.MINIMUM_SUPPORTED, ssl.TLSVersion.TLSv1_2
        assert (await asks(old, files("client"))).status == 200

    asyncio.run(all_of_them())
    assert client_tls(TlsFiles()).context.minimum_version is ssl.TLSVersion.TLSv1_2


@pytest.mark.checks("TLS_3")
def test_a_certificate_is_replaced_without_a_restart_and_a_bad_one_changes_nothing(keys: Path, tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    for source, target in ((keys / "client.pem", cert), (keys / "client.key", key)):
        target.write_bytes(source.read_bytes())
        target.chmod(0o600)
    tls = client_tls(tls_files(**pair_of(cert, key)))
    first = tls.context
    assert tls.context is first
    key.write_text("no key")
    assert tls.context is first
    key.write_bytes((keys / "stranger.key").read_bytes())
    cert.write_bytes((keys / "stranger.pem").read_bytes())
    second = tls.context
    assert second is not first
    key.chmod(0o644)
    with pytest.raises(SettingsRefused, match="open to others"):
        client_tls(tls_files(**pair_of(cert, key)))


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"webhook_client_cert": "a"}, "MUTT_WEBHOOK_CLIENT_CERT and MUTT_WEBHOOK_CLIENT_KEY belong together"),
        ({"webhook_client_key": "a"}, "MUTT_WEBHOOK_CLIENT_CERT and MUTT_WEBHOOK_CLIENT_KEY belong together"),
        ({"webhook_cacert": "/nowhere/ca.pem"}, "MUTT_WEBHOOK_CACERT='/nowhere/ca.pem' cannot be read: No such file"),
        (pair_of(Path("/nowhere"), Path(__file__)), "MUTT_WEBHOOK_CLIENT_CERT='/nowhere' cannot be read: No such file"),
    ],
)
def test_files_that_cannot_be_used_are_refused_at_the_start(files: dict[str, str], says: str) -> None:
    with pytest.raises(SettingsRefused, match=says):
        way_of(Settings(**files))
