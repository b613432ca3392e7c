"""Where posts may go: which hosts of an address are taken, and which addresses may be dialled for one."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from streams.core.address_ranges import Address, Zone, range_of

_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?")
_ZONE = re.compile(r"[A-Za-z0-9_.-]+")
_A_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")
LONGEST_NAME = 253


def is_host(text: str) -> bool:
    """A name in ASCII, or an address as everybody writes it; an IPv6 address has no brackets, and perhaps a zone.

    What ends in a number and is no such address, like 0x7f.1 or 2130706433, some resolvers take for one (URL Standard,
    3.5): it is no host.
    """
    if ":" in text:
        return _is_ipv6(text)
    if _A_NUMBER.fullmatch(text.removesuffix(".").rpartition(".")[2]):
        return address_in(text) is not None
    return len(text) <= LONGEST_NAME and _NAME.fullmatch(text) is not None


def address_in(host: str) -> Address | None:
    """The address that a host is, without its zone; None for a name."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def is_named(host: str, allowed: Iterable[str]) -> bool:
    """Whether the host stands there, in whatever case; `*.example.org` stands for all below it."""
    wanted = _plain(host)
    return any(wanted.endswith(_plain(one[1:])) if one.startswith("*.") else wanted == _plain(one) for one in allowed)


def refusal(host: str, address: str, allowed: Iterable[str]) -> str | None:
    """Why this address may not be dialled for this host; None when it may.

    Public addresses serve any host, private ones a host that is named, loopback one that is named and says itself that
    it is this machine; the rest serves none.
    """
    dialled = address_in(address)
    if dialled is None:
        return f"{address!r} is no address"
    found = range_of(dialled)
    named = is_named(host, allowed)
    if found.zone is Zone.PUBLIC or (found.zone is Zone.PRIVATE and named):
        return None
    if found.zone is Zone.LOOPBACK and named and means_here(host):
        return None
    return f"{address} is {found.kind} ({found.source})"


def means_here(host: str) -> bool:
    """Whether the host says that it is this machine: localhost, or a loopback address. No other name does for good."""
    address = address_in(host)
    return _plain(host) == "localhost" if address is None else range_of(address).zone is Zone.LOOPBACK


def _is_ipv6(text: str) -> bool:
    address, percent, zone = text.partition("%")
    try:
        ipaddress.IPv6Address(address)
    except ValueError:
        return False
    return not percent or _ZONE.fullmatch(zone.removeprefix("25")) is not None


def _plain(host: str) -> str:
    """Compared without case and without the dot that ends a full name; addresses in their one short form."""
    text = host.lower().removesuffix(".")
    address = address_in(text)
    return text if address is None or "%" in text else str(address)
