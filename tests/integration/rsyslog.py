"""An rsyslogd of ours on loopback, started as ops/rsyslog says, and lines as senders frame them."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ops.devstack.layout import free_port
from tests.run import ROOT

SEARCHED = os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/sbin"])
RSYSLOGD = shutil.which("rsyslogd", path=SEARCHED)
OPENSSL = shutil.which("openssl")
CERTIFICATE = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
               "-subj", "/CN=syslog.test", "-addext", "subjectAltName=DNS:syslog.test")  # fmt: skip
PATIENCE_S = 60.0


class Rsyslog:
    """ops/rsyslog/mutt-rsyslog in a folder of its own; `ruleset` is mutt_json or mutt_raw."""

    def __init__(self, folder: Path, bootstrap: str, ruleset: str = "mutt_json", *, tls: bool = False) -> None:
        self.folder = folder
        self.port, self.tls_port = free_port(), free_port()
        self.log = folder / "rsyslogd.log"
        settings = {
            "PATH": SEARCHED, "MUTT_KAFKA_BOOTSTRAP": bootstrap, "RSYSLOG_RULESET": ruleset,
            "RSYSLOG_SPOOL": str(folder), "RSYSLOG_ADDRESS": "127.0.0.1", "RSYSLOG_PORT": str(self.port),
            "RSYSLOG_TLS_PORT": str(self.tls_port),
        }  # fmt: skip
        if tls:
            make_certificate(folder)
            settings["RSYSLOG_TLS_FOLDER"] = str(folder)
        self.environment = os.environ | settings
        self.process: subprocess.Popen[bytes]

    def begin(self) -> None:
        """Does not wait until it listens."""
        with self.log.open("ab") as output:
            script = ROOT / "ops" / "rsyslog" / "mutt-rsyslog"
            self.process = subprocess.Popen(
                [script], env=self.environment, stdout=output, stderr=output, start_new_session=True
            )

    def start(self) -> None:
        self.begin()
        self.connect().close()

    def stop(self) -> None:
        """As systemd stops it: what it took is with Kafka, or in its spool."""
        self.process.terminate()
        assert self.process.wait(PATIENCE_S) == 0, self.log.read_text()

    @contextmanager
    def running(self) -> Iterator[Rsyslog]:
        self.start()
        try:
            yield self
        finally:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE_S)
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(self.process.pid, signal.SIGKILL)

    def freeze(self) -> None:
        """rsyslogd does nothing any more, and hears no signal but one."""
        os.kill(int((self.folder / "mutt-rsyslog.pid").read_text()), signal.SIGSTOP)

    def connect(self) -> socket.socket:
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                return socket.create_connection(("127.0.0.1", self.port), PATIENCE_S)
            except OSError:
                assert self.process.poll() is None, self.log.read_text()
                assert time.monotonic() < end, self.log.read_text()
                time.sleep(0.05)

    def send(self, stream: bytes) -> None:
        """By TCP; returns when rsyslogd has taken every byte."""
        with self.connect() as connection:
            deliver(connection, stream)

    def send_tls(self, stream: bytes) -> None:
        context = ssl.create_default_context(cafile=self.folder / "ca.pem")
        with (
            self.connect_tls() as connection,
            context.wrap_socket(connection, server_hostname="syslog.test") as secure,
        ):
            secure.sendall(stream)
            secure.unwrap().close()

    def connect_tls(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.tls_port), PATIENCE_S)

    def send_datagrams(self, lines: Iterable[bytes]) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for line in lines:
                sender.sendto(line, ("127.0.0.1", self.port))


def deliver(connection: socket.socket, stream: bytes) -> None:
    """Sends, and waits until the other side has read to the end and closes."""
    connection.sendall(stream)
    connection.shutdown(socket.SHUT_WR)
    assert connection.recv(1) == b""


def counted(lines: Iterable[bytes]) -> bytes:
    """Frames that begin with their length (RFC 6587, 3.4.1)."""
    return b"".join(b"%d %b" % (len(line), line) for line in lines)


def ended(lines: Iterable[bytes]) -> bytes:
    """Frames that end with a line end (RFC 6587, 3.4.2)."""
    return b"".join(line + b"\n" for line in lines)


def make_certificate(folder: Path) -> None:
    """A certificate that vouches for itself, where tls.conf looks for it."""
    command = [str(OPENSSL), *CERTIFICATE, "-keyout", folder / "key.pem", "-out", folder / "cert.pem"]
    subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE_S)
    shutil.copy(folder / "cert.pem", folder / "ca.pem")
