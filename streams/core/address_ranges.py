"""Which addresses lead where: the special ranges of IPv4 and IPv6, each with the document that makes it one.

The IANA registries of special-purpose addresses, and where they are silent the RFC or the vendor's page. An address in
no range is public, if it is global unicast at all.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from enum import StrEnum

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Zone(StrEnum):
    """Where an address leads."""

    PUBLIC = "public"
    PRIVATE = "private"
    """A network of somebody's own."""
    LOOPBACK = "loopback"
    """This machine."""
    NEVER = "never"
    """Where no receiver is: metadata of a cloud, many machines at once, nobody."""


@dataclass(frozen=True, slots=True)
class Range:
    """Addresses of one kind; `source` is the document that says so."""

    network: ipaddress.IPv4Network | ipaddress.IPv6Network
    zone: Zone
    kind: str
    source: str
    carries_ipv4: bool = False
    """The last 32 bits are an IPv4 address, which says where it leads."""


def _range(network: str, zone: Zone, kind: str, source: str, *, carries_ipv4: bool = False) -> Range:
    return Range(ipaddress.ip_network(network), zone, kind, source, carries_ipv4)


RANGES = (
    _range("0.0.0.0/8", Zone.NEVER, "this network", "RFC 791"),
    _range("10.0.0.0/8", Zone.PRIVATE, "private use", "RFC 1918"),
    _range("100.64.0.0/10", Zone.PRIVATE, "shared by a carrier", "RFC 6598"),
    _range("100.100.100.200/32", Zone.NEVER, "metadata of Alibaba Cloud", "Alibaba Cloud ECS, instance metadata"),
    _range("127.0.0.0/8", Zone.LOOPBACK, "loopback", "RFC 1122"),
    _range("168.63.129.16/32", Zone.NEVER, "platform of Azure", "Azure, IP address 168.63.129.16"),
    _range("169.254.0.0/16", Zone.NEVER, "link-local, metadata of clouds", "RFC 3927"),
    _range("172.16.0.0/12", Zone.PRIVATE, "private use", "RFC 1918"),
    _range("192.0.0.0/24", Zone.NEVER, "protocol assignments", "RFC 6890"),
    _range("192.0.2.0/24", Zone.NEVER, "documentation", "RFC 5737"),
    _range("192.31.196.0/24", Zone.NEVER, "AS112", "RFC 7535"),
    _range("192.52.193.0/24", Zone.NEVER, "multicast tunnels", "RFC 7450"),
    _range("192.88.99.0/24", Zone.NEVER, "6to4 relays", "RFC 7526"),
    _range("192.168.0.0/16", Zone.PRIVATE, "private use", "RFC 1918"),
    _range("192.175.48.0/24", Zone.NEVER, "AS112", "RFC 7534"),
    _range("198.18.0.0/15", Zone.NEVER, "benchmarks", "RFC 2544"),
    _range("198.51.100.0/24", Zone.NEVER, "documentation", "RFC 5737"),
    _range("203.0.113.0/24", Zone.NEVER, "documentation", "RFC 5737"),
    _range("224.0.0.0/4", Zone.NEVER, "multicast", "RFC 5771"),
    _range("240.0.0.0/4", Zone.NEVER, "reserved", "RFC 1112"),
    _range("255.255.255.255/32", Zone.NEVER, "broadcast", "RFC 919"),
    _range("::/128", Zone.NEVER, "unspecified", "RFC 4291"),
    _range("::1/128", Zone.LOOPBACK, "loopback", "RFC 4291"),
    _range("::/96", Zone.NEVER, "IPv4-compatible", "RFC 4291"),
    _range("::ffff:0:0/96", Zone.NEVER, "IPv4-mapped", "RFC 4291", carries_ipv4=True),
    _range("::ffff:0:0:0/96", Zone.NEVER, "IPv4-translated", "RFC 2765"),
    _range("64:ff9b::/96", Zone.NEVER, "NAT64", "RFC 6052", carries_ipv4=True),
    _range("64:ff9b:1::/48", Zone.NEVER, "NAT64 of a network's own", "RFC 8215"),
    _range("100::/64", Zone.NEVER, "discarded", "RFC 6666"),
    _range("100:0:0:1::/64", Zone.NEVER, "dummy prefix", "RFC 9780"),
    _range("2001::/23", Zone.NEVER, "protocol assignments", "RFC 2928"),
    _range("2001::/32", Zone.NEVER, "Teredo", "RFC 4380"),
    _range("2001:2::/48", Zone.NEVER, "benchmarks", "RFC 5180"),
    _range("2001:10::/28", Zone.NEVER, "ORCHID", "RFC 4843"),
    _range("2001:20::/28", Zone.NEVER, "ORCHIDv2", "RFC 7343"),
    _range("2001:db8::/32", Zone.NEVER, "documentation", "RFC 3849"),
    _range("2002::/16", Zone.NEVER, "6to4", "RFC 3056"),
    _range("2620:4f:8000::/48", Zone.NEVER, "AS112", "RFC 7534"),
    _range("3ffe::/16", Zone.NEVER, "6bone, given back", "RFC 3701"),
    _range("3fff::/20", Zone.NEVER, "documentation", "RFC 9637"),
    _range("5f00::/16", Zone.NEVER, "segment routing", "RFC 9602"),
    _range("fc00::/7", Zone.PRIVATE, "unique local", "RFC 4193"),
    _range("fd00:ec2::/32", Zone.NEVER, "metadata of AWS", "AWS EC2, instance metadata"),
    _range("fd20:ce::/32", Zone.NEVER, "metadata of Google Cloud", "Google Compute Engine, metadata server"),
    _range("fe80::/10", Zone.NEVER, "link-local", "RFC 4291"),
    _range("fec0::/10", Zone.NEVER, "site-local, given up", "RFC 3879"),
    _range("ff00::/8", Zone.NEVER, "multicast", "RFC 4291"),
)
"""All of them; where two hold an address, the narrower one speaks."""

PUBLIC = _range("0.0.0.0/0", Zone.PUBLIC, "public", "IANA IPv4 address space")
PUBLIC6 = _range("2000::/3", Zone.PUBLIC, "public", "RFC 4291")
NOT_GLOBAL = _range("::/0", Zone.NEVER, "no global unicast", "RFC 4291")
ISATAP = _range("::/0", Zone.NEVER, "ISATAP", "RFC 5214")
_ISATAP_MARKS = (0x00005EFE, 0x02005EFE)

_NARROWEST_FIRST = sorted(RANGES, key=lambda each: -each.network.prefixlen)


def range_of(address: Address) -> Range:
    """The range that says where the address leads; of a translated one, that of the IPv4 address it stands for."""
    found = next((each for each in _NARROWEST_FIRST if address in each.network), None)
    if isinstance(address, ipaddress.IPv4Address):
        return found or PUBLIC
    if found is not None:
        return _carried(address, found) if found.carries_ipv4 else found
    if int(address) >> 32 & 0xFFFFFFFF in _ISATAP_MARKS:
        return ISATAP
    return PUBLIC6 if address in PUBLIC6.network else NOT_GLOBAL


def _carried(address: ipaddress.IPv6Address, translated: Range) -> Range:
    """A mapped address is the IPv4 address itself. A translator is only asked for public ones (RFC 6052, 3.1)."""
    inner = range_of(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return inner if translated.kind == "IPv4-mapped" or inner.zone is Zone.PUBLIC else translated
