"""The one workload every contestant runs: rules and events made from a seed, the same every time."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson

_SITES = ("ams", "ber", "cdg", "dub", "fra", "gva", "hel", "lhr", "mad", "osl", "prg", "vie", "waw", "zrh")
_ROLES = ("core", "edge", "acc", "fw", "lb", "olt", "pe", "wlc")
_PORTS = ("GigabitEthernet", "TenGigE", "HundredGigE", "Ethernet", "xe-", "ae")
_FAULTS = (
    "changed state to down", "went into error disabled state", "neighbor lost", "hold timer expired",
    "authentication failed", "temperature above limit", "fan tray failure", "power supply absent",
    "receive power low", "checksum error on frame", "certificate expires soon", "queue overrun",
    "duplicate address detected", "flapping detected", "license exceeded", "clock not synchronised",
)  # fmt: skip
_THINGS = ("Interface", "Neighbor", "Module", "Transceiver", "Tunnel", "Peer", "Process", "Power supply", "VLAN")
_MNEMONICS = ("LINK-3-UPDOWN", "BGP-5-ADJCHANGE", "OSPF-5-ADJCHG", "ENVMON-2-TEMP", "PWR-3-FANFAIL", "SYS-5-CONFIG_I")
_NAMES = tuple(f"{a}{b}" for a in ("nor", "sud", "oes", "wes", "alt", "neu") for b in ("burg", "dorf", "hafen", "au"))
HANDLINGS = ("Page_and_ticket", "Log_only", "Log_only")
COLUMNS = (
    "priority", "match_type", "match_string", "trap_oid", "syslog_severity", "prod_handling", "dev_handling",
    "team_assignment",
)  # fmt: skip
"""What of a rule goes into `alert_rules`."""
FEW_RULES, MANY_RULES = 100, 10_000


def mixed(count: int) -> list[dict[str, Any]]:
    """Half regex, 40 % contains, 10 % OID prefixes; fewer rules are the first of more."""
    return rules(count, seed=3, draws=(0.2, 0.4))


def rules(count: int, seed: int = 1, draws: tuple[float, float] = (0.3, 0.6)) -> list[dict[str, Any]]:
    """About 60 % contains, 30 % regex, 10 % OID prefixes; a third of them raise alerts, a third filter by severity.

    `draws` are the bounds of the two kinds of contains.
    """
    rng = random.Random(seed)
    made: list[dict[str, Any]] = []
    seen: set[str] = set()
    while len(made) < count:
        kind, pattern, witness = _pattern(rng, *draws)
        if pattern.lower() in seen:
            continue
        seen.add(pattern.lower())
        rule: dict[str, Any] = {
            "priority": len(made) + 1,
            "match_type": kind,
            "trap_oid" if kind == "oid_prefix" else "match_string": pattern,
            "prod_handling": HANDLINGS[len(made) % 3],
            "dev_handling": "Log_only",
            "team_assignment": f"team-{len(made) % 12}",
            "witness": witness,
        }
        if rng.random() < 1 / 3:
            rule["syslog_severity"] = rng.randrange(8)
        made.append(rule)
    return made


def _pattern(rng: random.Random, faults: float, circuits: float) -> tuple[str, str, str]:
    """A match type, its pattern, and a text or OID that it matches."""
    name, fault, port = _circuit(rng), rng.choice(_FAULTS), _port(rng)
    draw = rng.random()
    if draw < faults:
        text = f"{rng.choice(_THINGS)} {port} {fault}"
        return "contains", text, text
    if draw < circuits:
        return "contains", f"circuit {name}", f"circuit {name}"
    draw = 0.6 + 0.3 * (draw - circuits) / (0.9 - circuits) if draw < 0.9 else draw
    if draw < 0.7:
        return "regex", rf"service {name}\b.{{0,30}}(failed|timeout)", f"service {name} reports timeout"
    if draw < 0.8:
        return "regex", rf"slot [0-9]+ {name} (removed|reset)", f"slot {rng.randrange(20)} {name} removed"
    if draw < 0.9:
        return "regex", rf"interface {port}.*{fault}", f"Interface {port} {fault}"
    oid = _oid(rng)
    return "oid_prefix", ".".join(oid.split(".")[:9]), oid


def events(
    count: int, made: Sequence[Mapping[str, Any]], seed: int = 2, hit: float = 0.3, padding: int = 0
) -> Iterator[tuple[bytes, bytes]]:
    """Key and JSON value of about 350 bytes, `padding` more; every third event is made to match a rule's pattern."""
    rng = random.Random(seed)
    texts = [rule["witness"] for rule in made if rule["match_type"] != "oid_prefix"]
    oids = [rule["witness"] for rule in made if rule["match_type"] == "oid_prefix"]
    base = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
    for number in range(count):
        host = f"{rng.choice(_ROLES)}{rng.randrange(40):02}.{rng.choice(_SITES)}.example"
        wanted = rng.random() < hit
        body = rng.choice(texts) if wanted else f"{rng.choice(_THINGS)} {_port(rng)} {rng.choice(_FAULTS)}"
        event: dict[str, Any] = {
            "timestamp": (base + dt.timedelta(milliseconds=7 * number)).isoformat().replace("+00:00", "Z"),
            "hostname": host,
            "message": f"%{rng.choice(_MNEMONICS)}: {body}, peer 10.{rng.randrange(256)}.{rng.randrange(256)}."
            f"{rng.randrange(1, 255)} customer {rng.choice(_NAMES)} ref {_circuit(rng)} id={rng.randrange(10**8)}"
            + (f" {'payload ' * (padding // 8)}" if padding else ""),
            "source": "syslog",
            "syslog_severity": rng.randrange(8),
            "facility": rng.randrange(16, 24),
            "program": rng.choice(_MNEMONICS),
            "correlation_id": f"{rng.getrandbits(128):032x}",
        }
        if rng.random() < 0.2:
            event |= {"source": "snmp", "trap_oid": rng.choice(oids) if oids and rng.random() < hit else _oid(rng)}
        yield host.encode(), orjson.dumps(event)


def lines(records: Iterable[tuple[bytes | None, bytes | None]]) -> Iterator[tuple[bytes | None, bytes]]:
    """The same events as syslog lines, RFC 5424 and RFC 3164 in turn."""
    for number, (key, value) in enumerate(records):
        event = orjson.loads(value or b"{}")
        priority = 8 * event["facility"] + event["syslog_severity"]
        if number % 2:
            head = f"<{priority}>1 {event['timestamp']} {event['hostname']} {event['program']} 17 - -"
        else:
            at = dt.datetime.fromisoformat(event["timestamp"])
            head = f"<{priority}>{at:%b} {at.day:2} {at:%H:%M:%S} {event['hostname']} {event['program']}[17]:"
        yield key, f"{head} {event['message']}".encode()


def rejected(records: Iterable[tuple[bytes | None, bytes | None]]) -> Iterator[tuple[bytes | None, bytes]]:
    """The same events, each with a fault of its own producer: a severity that is a text, a cut value, no host name."""
    for number, (key, value) in enumerate(records):
        event = orjson.loads(value or b"{}")
        if number % 3 == 0:
            yield key, orjson.dumps(event | {"syslog_severity": "major"})
        elif number % 3 == 1:
            yield key, (value or b"")[:-20]
        else:
            yield key, orjson.dumps({name: part for name, part in event.items() if name != "hostname"})


def _circuit(rng: random.Random) -> str:
    return f"{rng.choice(_NAMES)}-{rng.choice(_SITES)}-{rng.randrange(1000)}"


def _port(rng: random.Random) -> str:
    return f"{rng.choice(_PORTS)}{rng.randrange(8)}/{rng.randrange(4)}/{rng.randrange(48)}"


def _oid(rng: random.Random) -> str:
    arcs = (rng.randrange(9000), rng.randrange(9), rng.randrange(60), rng.randrange(12), 0, rng.randrange(40))
    return "1.3.6.1.4.1." + ".".join(map(str, arcs))
