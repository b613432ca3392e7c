"""The demonstration's traffic: a pure function of seed and start; every fault in it is known in advance."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, NamedTuple

from ops.demo.fleet import BY_KIND, NOISY_HOST, SITES, Host, Kind
from ops.demo.messages import MATCHED, TRAPS, UNMATCHED, Template, fill
from ops.demo.poison import poisons
from schemas.dead_letters import Reason
from schemas.topics import RAW, SNMP, SYSLOG

Headers = tuple[tuple[str, bytes], ...]

STORM_EVENTS = (140, 190)
"""Events of one unmatched signature in a storm: well above the threshold of the demonstration."""
THRESHOLD = 100
"""`unhandled_threshold` of the demonstration."""
NEAR_STORM_EVENTS = 70
"""A flurry that stays below it."""


class Planned(NamedTuple):
    """A record and when to send it, in seconds since the traffic's start."""

    at: float
    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    reason: Reason | None = None
    """Why it must be rejected; None for an event."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """How much of it: `rate` events a second on average for `seconds`, bursts, storms and poison on top."""

    seed: int
    start: dt.datetime
    """The moment of second 0 (aware); all timestamps derive from it."""
    seconds: float
    rate: float


@dataclass(frozen=True, slots=True)
class Generated:
    """The records in sending order, and what must come of them."""

    records: Sequence[Planned]
    storms: int
    """Unmatched signatures that cross the threshold: each raises one meta-alert."""

    @property
    def rejected(self) -> Counter[Reason]:
        """Dead letters that must result, by reason."""
        return Counter(record.reason for record in self.records if record.reason is not None)


def generate(traffic: Traffic) -> Generated:
    """All records of the traffic. Same arguments, same bytes."""
    writer = _Writer(Random(traffic.seed), traffic)  # noqa: S311 - reproducible, not secret
    storms = writer.write()
    return Generated(sorted(writer.records, key=lambda record: record.at), storms)


class _Writer:
    """Collects records part by part; the one source of randomness makes their order matter."""

    def __init__(self, random: Random, traffic: Traffic) -> None:
        self.random = random
        self.traffic = traffic
        self.records: list[Planned] = []

    def write(self) -> int:
        self._background()
        self._noisy_host()
        for _ in range(max(1, int(self.traffic.seconds / 6))):
            self._burst()
        self._poison()
        self._storm(Host("srv-fra-8.demo.example", Kind.SERVER), self.random.randint(*STORM_EVENTS), _flood)
        self._storm(Host("ups-zrh-1.demo.example", Kind.UPS), self.random.randint(*STORM_EVENTS), None)
        self._storm(Host("srv-par-2.demo.example", Kind.SERVER), NEAR_STORM_EVENTS, _flurry)
        return 2

    # -- parts --------------------------------------------------------------------------------------------------

    def _background(self) -> None:
        random, traffic = self.random, self.traffic
        weights = [template.weight for template in MATCHED]
        trap_weights = [trap.weight for trap in TRAPS]
        for _ in range(int(traffic.seconds * traffic.rate)):
            at, die = random.uniform(0, traffic.seconds), random.random()
            if die < 0.12:
                trap = random.choices(TRAPS, trap_weights)[0]
                self._trap(at, random.choice(BY_KIND[trap.kind]), trap.oid, trap.name)
            elif die < 0.22:
                template = random.choice(UNMATCHED)
                self._say(at, random.choice(BY_KIND[template.kind]), template)
            else:
                template = random.choices(MATCHED, weights)[0]
                self._say(at, random.choice(BY_KIND[template.kind]), template)

    def _noisy_host(self) -> None:
        """One host with an alert every third of a second."""
        template = Template(1, Kind.FIREWALL, 3, "vpn", "tunnel {word}-{number} is down, peer {ip}")
        for number in range(int(self.traffic.seconds * 3)):
            self._say(number / 3, Host(NOISY_HOST, Kind.FIREWALL), template)

    def _burst(self) -> None:
        """A site loses power for a moment: all its switches and routers talk within a second."""
        random = self.random
        site, began = random.choice(SITES), random.uniform(0, max(0.0, self.traffic.seconds - 1))
        down, up = MATCHED[0], MATCHED[2]
        for host in BY_KIND[Kind.SWITCH]:
            if f"-{site}-" in host.name:
                for _ in range(12):
                    self._say(began + random.random(), host, random.choice((down, up)))
                self._trap(began + random.random(), host, "1.3.6.1.6.3.1.1.5.3", "IF-MIB::linkDown")

    def _poison(self) -> None:
        random, traffic = self.random, self.traffic
        host = random.choice(BY_KIND[Kind.SERVER]).name
        for poison in poisons(random, host, self._rfc3339(0)):
            at = random.uniform(0, traffic.seconds)
            self.records.append(Planned(at, poison.topic, host.encode(), poison.value, reason=poison.reason))

    def _storm(self, host: Host, events: int, template: Template | None) -> None:
        """One signature again and again within a few seconds; without a template it is an unknown trap."""
        began = self.random.uniform(0, self.traffic.seconds * 0.6)
        for _ in range(events):
            at = began + self.random.uniform(0, min(4.0, self.traffic.seconds * 0.3))
            if template is None:
                self._trap(at, host, "1.3.6.1.4.1.318.0.9999", "PowerNet-MIB::unknownTrap")
            else:  # on one topic: signatures are counted per partition
                text = fill(self.random, template.text)
                self._add(at, SYSLOG.name, host, self._json(at, host, template, text))

    # -- writing ------------------------------------------------------------------------------------------------

    def _trap(self, at: float, host: Host, oid: str, name: str) -> None:
        random = self.random
        varbinds = {
            "1.3.6.1.2.1.1.3.0": random.randrange(10**8),
            f"1.3.6.1.2.1.2.2.1.2.{random.randrange(1, 60)}": fill(random, "{port}"),
        }
        event = {
            "timestamp": self._rfc3339(at), "hostname": host.name, "message": name, "source": "snmp",
            "trap_oid": random.choice(("", ".")) + oid, "varbinds": varbinds,
        }  # fmt: skip
        self._add(at, SNMP.name, host, json.dumps(event).encode())

    def _say(self, at: float, host: Host, template: Template) -> None:
        """A syslog message in one of the ways such a device writes it."""
        random = self.random
        text = fill(random, template.text)
        written = random.random()
        if written < 0.6:
            self._add(at, SYSLOG.name, host, self._json(at, host, template, text))
        elif not template.program:
            self._add(at, RAW.name, host, self._cisco(at, host, template, text))
        elif written < 0.8:
            self._add(at, RAW.name, host, self._rfc5424(at, host, template, text))
        else:
            self._add(at, RAW.name, host, self._rfc3164(at, host, template, text))

    def _add(self, at: float, topic: str, host: Host, value: bytes) -> None:
        headers: Headers = ()
        if self.random.random() < 0.02:
            trace = f"00-{self.random.getrandbits(128):032x}-{self.random.getrandbits(64):016x}-01"
            headers = (("traceparent", trace.encode()),)
        self.records.append(Planned(at, topic, host.name.encode(), value, headers))

    def _json(self, at: float, host: Host, template: Template, text: str) -> bytes:
        event: dict[str, Any] = {
            "timestamp": self._rfc3339(at), "hostname": host.name, "message": text,
            "syslog_severity": template.severity, "facility": 16,
        }  # fmt: skip
        if template.program:
            event |= {"program": template.program, "procid": str(self.random.randrange(300, 32000))}
        if self.random.random() < 0.1:
            event["correlation_id"] = f"{self.random.getrandbits(64):016x}"
        return json.dumps(event).encode()

    def _rfc5424(self, at: float, host: Host, template: Template, text: str) -> bytes:
        process = self.random.randrange(300, 32000)
        front = f"<{16 * 8 + template.severity}>1 {self._rfc3339(at)} {host.name} {template.program} {process}"
        return f'{front} - [origin@32473 site="{host.name.split("-")[1]}"] {text}'.encode()

    def _rfc3164(self, at: float, host: Host, template: Template, text: str) -> bytes:
        moment = self._moment(at)
        stamp = f"{moment:%b} {moment.day:2} {moment:%H:%M:%S}"
        process = self.random.randrange(300, 32000)
        return f"<{16 * 8 + template.severity}>{stamp} {host.name} {template.program}[{process}]: {text}".encode()

    def _cisco(self, at: float, host: Host, template: Template, text: str) -> bytes:
        moment = self._moment(at)
        stamp = f"{moment:%b} {moment.day:2} {moment:%Y %H:%M:%S}.{moment.microsecond // 1000:03} UTC"
        return f"<{23 * 8 + template.severity}>{self.random.randrange(1, 99999)}: {host.name}: {stamp}: {text}".encode()

    def _moment(self, at: float) -> dt.datetime:
        return self.traffic.start.astimezone(dt.UTC) + dt.timedelta(seconds=at)

    def _rfc3339(self, at: float) -> str:
        return self._moment(at).isoformat(timespec="milliseconds").replace("+00:00", "Z")


_flood = Template(1, Kind.SERVER, 6, "billing", "invoice {number} posted twice, kept the first")
_flurry = Template(1, Kind.SERVER, 6, "billing", "invoice {number} has no address")


def planned(records: Iterable[tuple[str, bytes | None, bytes]], rate: float) -> list[Planned]:
    """Records from elsewhere (topic, key, value), spread evenly at `rate` a second."""
    return [Planned(number / rate, *record) for number, record in enumerate(records)]
