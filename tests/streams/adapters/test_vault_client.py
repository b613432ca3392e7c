"""A server that answers all wrong: each call ends in time, as trouble of one word, and tells no secret."""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ops.devstack.layout import NOBODY
from schemas.errors import SecretsUnavailable, SettingsRefused
from schemas.secret_names import WEBHOOK, Service
from schemas.secrets import Secret
from schemas.settings import Settings
from streams.adapters.secret_keeper import SecretKeeper
from streams.adapters.secret_sources import read_secrets, vault_store
from streams.adapters.vault import ANSWER_LIMIT, VaultClient
from streams.adapters.vault_login import LoggedIn, secret_in
from streams.adapters.vault_store import VaultStore
from streams.core.vault import Trouble, lease_of
from tests.certificates import Authority, needs_openssl

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def whole(body: bytes, head: bytes = HEAD) -> bytes:
    return head + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body


class Server:
    """Says the same bytes to everybody, and then more of `more`, slowly, for ever."""

    def __init__(self, said: bytes, more: bytes = b"", every_s: float = 0.0) -> None:
        self.said, self._more, self._every_s = said, more, every_s
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._ended = threading.Event()
        self.asked: list[bytes] = []
        self.shows: ssl.SSLContext | None = None
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"http{'s' if self.shows else ''}://127.0.0.1:{self._listener.getsockname()[1]}"

    def _serve(self) -> None:
        while not self._ended.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                try:
                    if self.shows is None:
                        self._answer(connection)
                    else:
                        with self.shows.wrap_socket(connection, server_side=True) as shown:
                            self._answer(shown)
                except OSError:
                    continue

    def _answer(self, connection: socket.socket) -> None:
        self.asked.append(connection.recv(65536))
        connection.sendall(self.said)
        while self._more and not self._ended.wait(self._every_s):
            connection.sendall(self._more)

    def close(self) -> None:
        self._ended.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)


@contextmanager
def server(said: bytes, more: bytes = b"", every_s: float = 0.0) -> Iterator[Server]:
    serving = Server(said, more, every_s)
    try:
        yield serving
    finally:
        serving.close()


@contextmanager
def client(address: str, call_s: float) -> Iterator[VaultClient]:
    made = VaultClient(address, mount="secret", call_s=call_s)
    try:
        yield made
    finally:
        made.close()


def refused() -> pytest.RaisesExc[SecretsUnavailable]:
    return pytest.raises(SecretsUnavailable)


@pytest.mark.proves("vault.slow")
@pytest.mark.parametrize(
    ("said", "more", "every_s", "why"),
    [
        (whole(b"<html>hunter2</html>", b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"), b"", 0, Trouble.GARBAGE),
        (whole(b"hunter2", b"HTTP/1.1 500 No\r\n"), b"", 0, Trouble.GARBAGE),
        (whole(b'{"errors":7}', b"HTTP/1.1 503 No\r\nContent-Type: application/json\r\n"), b"", 0, Trouble.SEALED),
        (whole(b"[]", b"HTTP/1.1 403 No\r\nContent-Type: application/json\r\n"), b"", 0, Trouble.DENIED),
        (whole(b"", b"HTTP/1.1 429 Slow down\r\n"), b"", 0, Trouble.THROTTLED),
        (whole(b"", b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/hunter2\r\n"), b"", 0, Trouble.GARBAGE),
        (whole(b'{"errors":["hunter2"]}'), b"", 0, Trouble.GARBAGE),
        (whole(b'{"data":{"data":{"A":"hunter2"}}}'), b"", 0, Trouble.GARBAGE),
        (whole(b""), b"", 0, Trouble.GARBAGE),
        (HEAD + b"Content-Length: 50\r\n\r\n{", b"", 0, Trouble.DOWN),
        (HEAD + b"Content-Length: 200000000\r\n\r\n", b"x" * 65536, 0, Trouble.GARBAGE),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b"x" * 65536 + b"\r\n", 0, Trouble.GARBAGE),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nhunter2\r\n", b"", 0, Trouble.DOWN),
        (HEAD + b"Content-Encoding: gzip\r\nContent-Length: 7\r\n\r\nhunter2", b"", 0, Trouble.DOWN),
        (b"hunter2\r\n", b"", 0, Trouble.DOWN),
        (b"", b"", 0, Trouble.DOWN),
        (HEAD, b"X: y\r\n", 0.05, Trouble.SLOW),
        (HEAD + b"Content-Length: 100000\r\n\r\n", b"x", 0.05, Trouble.SLOW),
    ],
)
def test_V1_what_is_no_answer_of_vault(said: bytes, more: bytes, every_s: float, why: Trouble) -> None:
    call_s = 0.5 if why is Trouble.SLOW else 20.0
    with server(said, more, every_s) as serving, client(serving.address, call_s) as asked, refused() as raised:
        asked.read("mutt/webhook")
    assert raised.value.trouble == why
    assert "hunter2" not in str(raised.value)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize("lease", [b"0", b"315360000", b"-1", b'"x"'])
def test_V1_a_token_that_lives_for_ever_is_refused(lease: bytes) -> None:
    body = b'{"auth":{"client_token":"hunter2","lease_duration":%s,"renewable":true}}' % lease
    with server(whole(body)) as serving, client(serving.address, 20.0) as asked, refused() as raised:
        asked.login("role", Secret("hunter2"))
    assert raised.value.trouble in (Trouble.REFUSED, Trouble.GARBAGE)
    assert "hunter2" not in str(raised.value)


@pytest.mark.proves("vault.reset")
def test_a_connection_that_breaks_off_is_not_asked_again_by_itself() -> None:
    with server(b"") as serving, client(serving.address, 20.0) as asked:
        for ask in (lambda: asked.login("role", Secret("hunter2")), lambda: asked.read("mutt/webhook")):
            serving.asked.clear()
            with refused() as raised:
                ask()
            assert raised.value.trouble == Trouble.DOWN
            assert len(serving.asked) == 1


@pytest.mark.proves("vault.full")
def test_a_server_that_can_only_fail_replaces_nothing() -> None:
    good = b'{"data":{"metadata":{"version":1,"created_time":""},"data":{"MOOG_API_KEY":"token"}}}'
    lease = b'{"auth":{"client_token":"s.x","lease_duration":1200,"renewable":true}}'
    with server(whole(good)) as serving, client(serving.address, 20.0) as asked:
        vault = LoggedIn(asked, lambda _: lease_of(json.loads(lease)["auth"]))
        secrets = SecretKeeper(VaultStore(vault, "mutt"), (WEBHOOK,), every_s=0)
        secrets.start()
        serving.said = whole(b'{"errors":["no space left on device"]}', b"HTTP/1.1 500 Internal Server Error\r\n")
        secrets.refresh()
        assert secrets.troubles == {"webhook": "garbage"}
        token = secrets.get("MOOG_API_KEY")
        assert token is not None
        assert token.reveal() == "token"
        serving.said = whole(good)
        secrets.refresh()
        assert secrets.troubles == {}


def test_an_answer_as_long_as_allowed_is_read() -> None:
    body = b'{"data":{"metadata":{"version":1,"created_time":""},"data":{"A":"%s"}}}' % (b"x" * (ANSWER_LIMIT - 200))
    with server(whole(body)) as serving, client(serving.address, 20.0) as asked:
        assert asked.read("mutt/webhook").number == 1


@needs_openssl
@pytest.mark.checks("TLS_3")
def test_who_vouches_for_the_store_is_looked_at_with_each_connection(tmp_path: Path) -> None:
    first, second, trusted = Authority(tmp_path / "first"), Authority(tmp_path / "second"), tmp_path / "trusted.pem"
    trusted.write_bytes(first.certificate.read_bytes())
    with server(
        whole(b'{"data": {"data": {}, "metadata": {"version": 7, "created_time": "2026-03-01T12:00:00Z"}}}')
    ) as one:
        one.shows = shown(first)
        client = VaultClient(one.address, mount="secret", ca_file=str(trusted))
        assert client.read("any").number == 7
        one.shows = shown(second)
        with pytest.raises(SecretsUnavailable, match="its certificate is refused"):
            client.read("any")
        trusted.write_bytes(second.certificate.read_bytes())
        assert client.read("any").number == 7


def shown(authority: Authority) -> ssl.SSLContext:
    pair, context = authority.issue("store"), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.certificate, pair.key)
    return context


@pytest.mark.checks("EGRESS_3")
def test_nobody_there_and_nothing_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with server(b"") as gone:
        nobody = gone.address
    with server(whole(b"{}")) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.address)
        monkeypatch.setenv("VAULT_TOKEN", "hunter2")
        with client(nobody, 20.0) as asked, pytest.raises(SecretsUnavailable) as raised:
            asked.read("mutt/webhook")
        assert raised.value.trouble == Trouble.DOWN
        assert proxy.asked == []
    with server(whole(b"{}")) as serving, client(serving.address, 20.0) as asked:
        with pytest.raises(SecretsUnavailable):
            asked.read("mutt/webhook")
        assert b"hunter2" not in b"".join(serving.asked)


def settings(folder: Path, address: str) -> Settings:
    file = folder / "secret-id"
    file.touch(mode=0o600)
    file.write_text("hunter2\n")
    return Settings(vault_addr=address, vault_role_id="role", vault_secret_id_file=str(file))


@pytest.mark.parametrize(
    ("said", "more"),
    [(b"", b""), (whole(b"<html>"), b""), (HEAD, b"X: y\r\n"), (whole(b"", b"HTTP/1.1 503 No\r\n"), b"")],
)
def test_V2_a_fresh_start_fails_closed_in_time_with_one_line(tmp_path: Path, said: bytes, more: bytes) -> None:
    began = time.monotonic()
    with server(said, more, 0.05) as serving, pytest.raises(SettingsRefused) as refused:
        read_secrets(settings(tmp_path, serving.address), Service.MATCH)
    assert time.monotonic() - began < 60, "it ends by itself"
    assert len(refused.value.problems) == 1
    assert "secrets at database/worker" in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_what_the_settings_lack(tmp_path: Path) -> None:
    with pytest.raises(SettingsRefused, match="VAULT_SECRET_ID_FILE"):
        vault_store(Settings(vault_addr="http://127.0.0.1:1"))
    with pytest.raises(SettingsRefused, match="plain http to another machine"):
        vault_store(settings(tmp_path, "http://vault.example:8200"))
    for address in ("http://127.0.0.1:1", "http://[::1]:1", "http://localhost:1", "https://vault.example"):
        vault_store(settings(tmp_path, address)).vault.close()
    (tmp_path / "secret-id").chmod(0o644)
    with pytest.raises(SettingsRefused, match="secret-id is open to others"):
        read_secrets(Settings.from_env({
            "VAULT_ADDR": "http://127.0.0.1:1", "VAULT_ROLE_ID": "role",
            "VAULT_SECRET_ID_FILE": str(tmp_path / "secret-id"),
        }), Service.MATCH)  # fmt: skip


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to its group and read it as another")
def test_a_secret_id_of_root_that_the_group_may_read_is_taken() -> None:
    """As Kubernetes (fsGroup) and systemd hand it out."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        file = Path(folder) / "secret-id"
        file.write_text("s.ecret")
        file.chmod(0o440)
        shutil.chown(file, 0, NOBODY)
        groups = os.getgroups()
        os.setgroups([NOBODY])
        os.seteuid(NOBODY)
        try:
            assert secret_in(str(file)).reveal() == "s.ecret"
        finally:
            os.seteuid(0)
            os.setgroups(groups)
        file.chmod(0o444)
        with pytest.raises(SecretsUnavailable, match="open to others"):
            secret_in(str(file))
