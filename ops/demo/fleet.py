"""The hosts of the demonstration: sites, their devices, who looks after them, which are for development."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a host is, as its name says."""

    ROUTER = "rtr"
    SWITCH = "sw"
    FIREWALL = "fw"
    SERVER = "srv"
    DATABASE = "db"
    UPS = "ups"


@dataclass(frozen=True, slots=True)
class Host:
    """One device."""

    name: str
    kind: Kind
    development: bool = False


SITES = ("ber", "fra", "ham", "lon", "par", "zrh")
_PER_SITE = {Kind.ROUTER: 2, Kind.SWITCH: 6, Kind.FIREWALL: 2, Kind.SERVER: 8, Kind.DATABASE: 2, Kind.UPS: 1}

HOSTS: tuple[Host, ...] = tuple(
    Host(f"{kind}-{site}-{number}.demo.example", kind)
    for site in SITES
    for kind, count in _PER_SITE.items()
    for number in range(1, count + 1)
) + tuple(
    Host(f"{kind}-dev-{number}.demo.example", kind, True) for kind in (Kind.SWITCH, Kind.SERVER) for number in (1, 2, 3)
)

BY_KIND: dict[Kind, tuple[Host, ...]] = {kind: tuple(host for host in HOSTS if host.kind is kind) for kind in Kind}
DEVELOPMENT_HOSTS: tuple[str, ...] = tuple(host.name for host in HOSTS if host.development)

TEAMS: dict[str, str] = {host.name: "databases" for host in BY_KIND[Kind.DATABASE]} | {
    host.name: "facilities" for host in BY_KIND[Kind.UPS]
}
"""Teams of hosts, for alerts whose rule names none."""

NOISY_HOST = "fw-ber-1.demo.example"
"""Raises alerts steadily: the one whose alerts the receiver rejects for a while."""
