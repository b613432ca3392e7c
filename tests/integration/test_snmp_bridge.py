"""Real snmptrapd and snmptrap: what a device sends is an event on mutt.ingest.snmp, field by field."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ops.devstack.layout import free_port
from ops.devstack.stack import Stack
from schemas import codec
from schemas.events import Event
from schemas.snmp import UPTIME
from schemas.topics import SNMP
from tests.integration.pipeline import gauge
from tests.integration.test_producers import arrived
from tests.matrix.ground import frozen, server
from tests.programs import bare_environment
from tests.run import CORPUS, ROOT
from tests.schemas.test_snmptrapd import LINK_DOWN as LINK_DOWN_SENT
from tests.schemas.test_snmptrapd import record

SNMPTRAPD = shutil.which("snmptrapd") or shutil.which("snmptrapd", path="/usr/sbin:/sbin")
SNMPTRAP = shutil.which("snmptrap")
ENGINE = "0x8000000001020304"
COMMUNITY = "s3cret-c0mmunity"
CONF = f"""
authCommunity log {COMMUNITY}
createUser -e {ENGINE} monitor SHA "auth password" AES "privacy password"
authUser log monitor priv
"""
V3 = ("-v", "3", "-e", ENGINE, "-u", "monitor", "-l", "authPriv", "-a", "SHA", "-A", "auth password", "-x", "AES",
      "-X", "privacy password")  # fmt: skip
LINK_DOWN = "1.3.6.1.6.3.1.1.5.3"
PUBLISHED = 'mutt_snmp_traps_total{reason="",status="success"}'
DESCR = "1.3.6.1.2.1.2.2.1.2.7"

pytestmark = pytest.mark.skipif(
    SNMPTRAPD is None or SNMPTRAP is None, reason="snmptrapd or snmptrap is not installed (packages snmptrapd and snmp)"
)


class Bridge:
    """ops/snmptrapd/mutt-snmptrapd on a port of loopback."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.bootstrap = stack.kafka.bootstrap
        self.port, self.metrics_port = free_port(), free_port()
        self.folder = folder
        self.log = folder / "bridge.log"
        conf = folder / "snmptrapd.conf"
        conf.write_text(CONF)
        path = os.pathsep.join([str(Path(sys.executable).parent), str(Path(str(SNMPTRAPD)).parent), os.environ["PATH"]])
        settings = {
            "PATH": path, "SNMPTRAPD_CONF": str(conf), "SNMP_PERSISTENT_DIR": str(folder / "persistent"),
            "MUTT_KAFKA_BOOTSTRAP": self.bootstrap, "MUTT_SNMP_BRIDGE_PORT": str(self.metrics_port),
        }  # fmt: skip
        self.environment = os.environ | settings
        self.process: subprocess.Popen[bytes]

    @contextmanager
    def running(self) -> Iterator[None]:
        script = ROOT / "ops" / "snmptrapd" / "mutt-snmptrapd"
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [script, f"udp:127.0.0.1:{self.port}"], env=self.environment, stdout=output, stderr=output,
                start_new_session=True,
            )  # fmt: skip
            try:
                yield
            finally:
                if self.process.poll() is None:
                    os.killpg(self.process.pid, signal.SIGTERM)
                    assert self.process.wait(60) == 0, self.log.read_text()

    def send(self, *arguments: str, version: Sequence[str] = ("-v", "2c", "-c", COMMUNITY)) -> None:
        """`snmpinform` for what must be answered would wait; a trap to loopback is lost only where nobody listens."""
        command = [str(SNMPTRAP), *version, "-m", "", f"127.0.0.1:{self.port}", *arguments]
        subprocess.run(command, env=self.environment, check=True, capture_output=True, timeout=30)

    def until_published(self) -> None:
        """Sends informs until snmptrapd answers one, and waits until the bridge has published it."""
        inform = str(Path(str(SNMPTRAP)).parent / "snmpinform")
        command = [inform, "-v", "2c", "-c", COMMUNITY, "-m", "", "-t", "1", "-r", "60", f"127.0.0.1:{self.port}", "",
                   LINK_DOWN]  # fmt: skip
        subprocess.run(command, env=self.environment, check=True, capture_output=True, timeout=90)
        end = time.monotonic() + 60
        while gauge(self.metrics_port, PUBLISHED) == 0:
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(0.05)

    def events(self, count: int) -> list[Event]:
        """Those on the topic once so many different are there, without the informs."""
        records = arrived(self.bootstrap, SNMP.name, count)
        decoded = [codec.decode(record.value(), SNMP, record.key()).event for record in records]
        assert [record.key().decode() for record in records] == [event.hostname for event in decoded]
        return [event for event in decoded if event.message != "IF-MIB::linkDown"]


@pytest.fixture
def bridge(broker: Stack, tmp_path: Path) -> Iterator[Bridge]:
    made = Bridge(broker, tmp_path)
    with made.running():
        made.until_published()
        yield made


def test_traps_of_every_version_arrive_field_by_field(bridge: Bridge) -> None:
    text = 'a "quoted" \\ text\nand\tanother mutt-trap\t1 héé'
    v1 = ("-v", "1", "-c", COMMUNITY)
    bridge.send("", LINK_DOWN, DESCR, "s", text)
    bridge.send("1.3.6.1.4.1.8072.2.3", "10.1.2.3", "6", "17", "12345", DESCR, "s", "v1", version=v1)
    bridge.send("", LINK_DOWN, DESCR, "s", "v3", version=V3)
    bridge.send("", LINK_DOWN, DESCR, "x", "00ff" * 40, "1.3.6.1.6.3.18.1.3.0", "a", "10.9.8.7")
    first, old, third, octets = sorted(bridge.events(5), key=lambda event: ["a", "v1", "v3", "00"].index(_sort(event)))
    assert (first.trap_oid, first.varbinds and first.varbinds[DESCR]) == (LINK_DOWN, text)
    assert (old.hostname, old.trap_oid) == ("10.1.2.3", "1.3.6.1.4.1.8072.2.3.0.17")
    assert (third.hostname, third.message) == ("127.0.0.1", f"IF-MIB::linkDown: {DESCR} = v3")
    assert (octets.hostname, octets.varbinds and octets.varbinds[DESCR]) == ("10.9.8.7", " ".join(["00 FF"] * 40))
    assert gauge(bridge.metrics_port, PUBLISHED) >= 5
    assert COMMUNITY not in bridge.log.read_text()


def _sort(event: Event) -> str:
    assert event.varbinds is not None
    return str(event.varbinds[DESCR]).split(" ")[0]


def test_traps_with_a_community_that_nobody_knows_are_no_events(bridge: Bridge) -> None:
    bridge.send("", LINK_DOWN, DESCR, "s", "stranger", version=("-v", "2c", "-c", "guess"))
    bridge.send("", LINK_DOWN, DESCR, "s", "known")
    assert [_sort(event) for event in bridge.events(2)] == ["known"]


def test_what_was_printed_before_the_stop_is_published(broker: Stack, tmp_path: Path) -> None:
    bridge = Bridge(broker, tmp_path)
    with bridge.running():
        bridge.until_published()
        for number in range(20):
            bridge.send("", LINK_DOWN, DESCR, "s", f"{number}")
    assert {int(_sort(event)) for event in bridge.events(21)} == set(range(20))


def test_a_script_that_alone_is_told_to_stop_publishes_what_was_printed(broker: Stack, tmp_path: Path) -> None:
    """As a container's first process is."""
    bridge = Bridge(broker, tmp_path)
    with bridge.running():
        bridge.until_published()
        for number in range(20):
            bridge.send("", LINK_DOWN, DESCR, "s", f"{number}")
        bridge.process.terminate()
        assert bridge.process.wait(60) == 0, bridge.log.read_text()
        with pytest.raises(ProcessLookupError):
            os.killpg(bridge.process.pid, 0)
    assert {int(_sort(event)) for event in bridge.events(21)} == set(range(20))


def test_snmptrapd_that_cannot_start_is_a_failure_of_the_script(broker: Stack, tmp_path: Path) -> None:
    bridge = Bridge(broker, tmp_path)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", bridge.port))
        with bridge.running():
            assert bridge.process.wait(60) not in (0, -signal.SIGTERM)


def test_told_to_stop_while_kafka_stands_still_it_ends_in_time_and_says_what_is_lost(
    broker: Stack, tmp_path: Path
) -> None:
    with bridge_alone(broker.kafka.bootstrap, tmp_path) as (process, port):
        assert process.stdin is not None
        process.stdin.write(record(LINK_DOWN_SENT))
        process.stdin.flush()
        end = time.monotonic() + 60
        while gauge(port, PUBLISHED) == 0:
            assert time.monotonic() < end
            time.sleep(0.05)
        with frozen(server(broker.kafka.child)):
            process.stdin.write(record(LINK_DOWN_SENT))
            process.stdin.flush()
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 69
    assert f"Kafka at {broker.kafka.bootstrap} had not taken all traps" in (tmp_path / "bridge.log").read_text()


def test_told_to_stop_before_kafka_was_there_it_does_not_call_itself_done(tmp_path: Path) -> None:
    with bridge_alone(f"127.0.0.1:{free_port()}", tmp_path) as (process, _):
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 69


@contextmanager
def bridge_alone(bootstrap: str, folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """`mutt snmp-bridge` on a pipe of ours, given a second to drain; with the port of its metrics."""
    port = free_port()
    environment = bare_environment(
        MUTT_KAFKA_BOOTSTRAP=bootstrap, MUTT_SNMP_BRIDGE_PORT=str(port), MUTT_DRAIN_TIMEOUT="1"
    )
    command = [Path(sys.executable).parent / "mutt", "snmp-bridge"]
    log = folder / "bridge.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=output, env=environment) as process,
    ):
        try:
            end = time.monotonic() + 60
            while not listens(port):
                assert time.monotonic() < end, log.read_text()
                time.sleep(0.05)
            yield process, port
        finally:
            process.kill()


def listens(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.corpus
def test_the_samples_arrive(bridge: Bridge) -> None:
    samples = [json.loads(line) for line in (CORPUS / "traps.jsonl").read_text().splitlines()]
    constructed = [sample["event"] for sample in samples if "ber_hex" not in sample]
    for event in constructed:
        variables = (part for oid, value in event["varbinds"].items() for part in (oid, "s", value))
        bridge.send("", event["trap_oid"], *variables)
    captured = [bytes.fromhex(sample["ber_hex"]) for sample in samples if "ber_hex" in sample]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for packet in captured:
            sender.sendto(packet, ("127.0.0.1", bridge.port))
    found = [_said(event.trap_oid, event.varbinds) for event in bridge.events(1)]
    for event in constructed:
        assert _said(event["trap_oid"], event["varbinds"]) in found


def _said(oid: str | None, varbinds: dict[str, Any] | None) -> tuple[str | None, dict[str, str]]:
    plain = {name.lstrip("."): value for name, value in (varbinds or {}).items()}
    plain.pop(UPTIME, None)
    return oid and oid.lstrip("."), plain
