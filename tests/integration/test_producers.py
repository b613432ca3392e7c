"""The README's producers, run as they stand there: what they publish is what mutt reads."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ops.devstack.layout import free_port
from ops.devstack.stack import Stack
from schemas import codec
from schemas.topics import RAW, SYSLOG
from tests.architecture.documents import README, blocks
from tests.integration.topics import read_all

RSYSLOGD = shutil.which("rsyslogd") or shutil.which("rsyslogd", path="/usr/sbin:/sbin")
LINES = (
    b"<187>Nov 25 04:50:00 core-1 app: %LINK-3-UPDOWN: Interface Gi0/1, changed state to down",
    b'<12>1 2026-11-25T04:50:00Z core-2 db 71 M1 [zoo@123 tiger="hungry"] quote " and \\ and caf\xc3\xa9',
    b"<34>Nov 25 04:50:00 core-3 kernel: not UTF-8 \xff\xfe",
    b"<34>Nov 25 04:50:01 core-1 app: the second of its host",
)


def test_the_python_producer(broker: Stack) -> None:
    (snippet,) = blocks(README, "python")
    environment = os.environ | {"MUTT_KAFKA_BOOTSTRAP": broker.kafka.bootstrap}
    command = [sys.executable, "-W", "error", "-c", snippet]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    (record,) = arrived(broker.kafka.bootstrap, SYSLOG.name, 1)
    assert done.stdout == f"mutt trace {SYSLOG.name}:{record.partition()}:{record.offset()}\n"
    event = codec.decode(record.value(), SYSLOG, record.key()).event
    assert (event.hostname, event.message, event.syslog_severity) == ("pay-1", "backup job nightly failed", 3)
    assert record.key() == b"pay-1"


@pytest.mark.skipif(RSYSLOGD is None, reason="rsyslogd is not installed (packages rsyslog and rsyslog-kafka)")
def test_rsyslog(broker: Stack, tmp_path: Path) -> None:
    port = free_port()
    with rsyslog(tmp_path, broker.kafka.bootstrap, port):
        send(port, LINES)
        records = arrived(broker.kafka.bootstrap, RAW.name, len(LINES))
    decoded = [(record.key(), codec.decode(record.value(), RAW, record.key())) for record in records]
    assert all(key == one.event.hostname.encode() for key, one in decoded)
    events = {one.event.message: one for _, one in decoded}
    link = events["%LINK-3-UPDOWN: Interface Gi0/1, changed state to down"].event
    assert (link.hostname, link.program, link.syslog_severity, link.facility) == ("core-1", "app", 3, 23)
    full = events['quote " and \\ and café'].event
    assert (full.procid, full.msgid, full.structured_data) == ("71", "M1", {"zoo@123": {"tiger": "hungry"}})
    assert [str(flag) for flag in events["not UTF-8 ÿþ"].flags] == ["latin1"]
    of_one_host = {record.partition() for record in records if record.key() == b"core-1"}
    assert len(of_one_host) == 1


@contextmanager
def rsyslog(folder: Path, bootstrap: str, port: int) -> Iterator[None]:
    """An rsyslogd of our own with the README's snippet, listening on loopback."""
    (snippet,) = blocks(README, "rsyslog")
    snippet = snippet.replace("127.0.0.1:9092", bootstrap).replace("/var/spool/rsyslog", str(folder))
    config = folder / "rsyslog.conf"
    config.write_text(
        f'global(workDirectory="{folder}")\nmodule(load="imtcp")\n'
        f'input(type="imtcp" address="127.0.0.1" port="{port}")\n{snippet}'
    )
    log = folder / "rsyslogd.log"
    with log.open("wb") as output:
        child = subprocess.Popen(
            [str(RSYSLOGD), "-n", "-f", config, "-i", folder / "pid"], stdout=output, stderr=subprocess.STDOUT
        )
        try:
            yield
        finally:
            child.terminate()
            child.wait(30)
    assert log.read_text() == ""


def send(port: int, lines: tuple[bytes, ...]) -> None:
    end = time.monotonic() + 30
    while True:
        try:
            connection = socket.create_connection(("127.0.0.1", port), 5)
        except OSError:
            assert time.monotonic() < end, "rsyslogd does not listen"
            time.sleep(0.05)
        else:
            break
    with connection:
        connection.sendall(b"".join(line + b"\n" for line in lines))


def arrived(bootstrap: str, topic: str, count: int) -> list[Any]:
    """The records of a topic, once so many different ones are there."""
    end = time.monotonic() + 60
    while True:
        records = read_all(bootstrap, topic)
        if len({record.value() for record in records}) >= count:
            return records
        assert time.monotonic() < end, f"{len(records)} of {count} records arrived"
        time.sleep(0.2)
