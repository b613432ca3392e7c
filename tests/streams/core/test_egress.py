"""Which addresses lead where, and which of them may be dialled for a host (BAD-INPUTS W, SSRF)."""

from __future__ import annotations

import ipaddress
import random
import re

import pytest

from streams.core.address_ranges import RANGES, Zone, range_of
from streams.core.egress import is_host, is_named, refusal

SEEDED = random.Random(20)


def zone(address: str) -> Zone:
    return range_of(ipaddress.ip_address(address)).zone


@pytest.mark.parametrize("each", RANGES, ids=lambda each: str(each.network))
def test_every_range_names_its_source_and_speaks_for_its_edges(each) -> None:
    assert re.match(r"RFC \d+|[A-Z]\w+", each.source)
    assert each.zone is not Zone.PUBLIC
    edges = (each.network.network_address, each.network.broadcast_address)
    if not each.carries_ipv4:
        assert all(range_of(edge).zone is not Zone.PUBLIC for edge in edges)


@pytest.mark.parametrize("bits", [32, 128])
def test_what_python_does_not_call_global_is_never_public(bits: int) -> None:
    """Python's table is another one; ours may forbid more."""
    kind = ipaddress.IPv4Address if bits == 32 else ipaddress.IPv6Address
    samples = [kind(SEEDED.getrandbits(bits)) for _ in range(5000)]
    starts = [int(each.network.network_address) for each in RANGES if each.network.max_prefixlen == bits]
    samples += [kind(start ^ SEEDED.getrandbits(8)) for start in starts for _ in range(8)]
    wrong = [str(each) for each in samples if not each.is_global and range_of(each).zone is Zone.PUBLIC]
    assert wrong == []


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("93.184.215.14", Zone.PUBLIC),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", Zone.PUBLIC),
        ("::ffff:93.184.215.14", Zone.PUBLIC),
        ("64:ff9b::5db8:d70e", Zone.PUBLIC),
        ("64:ff9b::a00:1", Zone.NEVER),
        ("::ffff:10.0.0.1", Zone.PRIVATE),
        ("::ffff:127.0.0.1", Zone.LOOPBACK),
        ("::ffff:169.254.169.254", Zone.NEVER),
        ("2002:5db8:d70e::1", Zone.NEVER),
        ("fd00::1", Zone.PRIVATE),
        ("fd00:ec2::254", Zone.NEVER),
        ("100.64.0.1", Zone.PRIVATE),
        ("100.100.100.200", Zone.NEVER),
        ("2606:4700::5efe:5db8:d70e", Zone.NEVER),
        ("4000::1", Zone.NEVER),
    ],
)
def test_where_an_address_leads(address: str, expected: Zone) -> None:
    assert zone(address) is expected


@pytest.mark.parametrize(
    ("host", "allowed", "named"),
    [
        ("moog.example", ("moog.example",), True),
        ("MOOG.example.", ("moog.EXAMPLE",), True),
        ("a.moog.example", ("moog.example",), False),
        ("a.moog.example", ("*.moog.example",), True),
        ("moog.example", ("*.moog.example",), False),
        ("evilmoog.example", ("*.moog.example",), False),
        ("0:0:0:0:0:0:0:1", ("::1",), True),
        ("::1%lo", ("::1",), False),
        ("10.0.0.1", ("10.0.0.1",), True),
        ("10.0.0.1", (), False),
    ],
)
def test_a_host_is_named_as_it_is_written(host: str, allowed: tuple[str, ...], named: bool) -> None:
    assert is_named(host, allowed) is named


@pytest.mark.parametrize(
    ("host", "address", "allowed", "dialled"),
    [
        ("moog.example", "93.184.215.14", (), True),
        ("moog.example", "10.0.0.1", (), False),
        ("moog.example", "10.0.0.1", ("moog.example",), True),
        ("moog.example", "127.0.0.1", ("moog.example",), False),
        ("moog.example", "169.254.169.254", ("moog.example",), False),
        ("localhost", "127.0.0.1", ("localhost",), True),
        ("localhost", "::1", ("localhost",), True),
        ("localhost", "127.0.0.1", (), False),
        ("localhost", "169.254.169.254", ("localhost",), False),
        ("127.0.0.2", "127.0.0.2", ("127.0.0.2",), True),
        ("169.254.169.254", "169.254.169.254", ("169.254.169.254",), False),
        ("moog.example", "fe80::1%2", ("moog.example",), False),
        ("moog.example", "nonsense", ("moog.example",), False),
    ],
)
def test_what_may_be_dialled_for_a_host(host: str, address: str, allowed: tuple[str, ...], dialled: bool) -> None:
    assert (refusal(host, address, allowed) is None) is dialled


def test_a_refusal_names_the_range_and_its_source() -> None:
    assert refusal("h.example", "169.254.169.254", ()) == (
        "169.254.169.254 is link-local, metadata of clouds (RFC 3927)"
    )


@pytest.mark.parametrize(
    "host", ["alerts.example.org", "sink", "a_b.test", "h.", "1a.example", "10.0.0.1", "::1", "fe80::1%eth0"]
)
def test_hosts_that_are_taken(host: str) -> None:
    assert is_host(host)


NO_HOSTS = (
    *("", ".", "a..b", ".a", "-", "a b", "*", "a" * 254),
    *("2130706433", "0x7f.1", "127.1", "127.0.0.1.", "010.0.0.1", "a.0x7f", "a.1", "::1%", "1::2::3"),
)


@pytest.mark.parametrize("host", NO_HOSTS)
def test_hosts_that_are_not(host: str) -> None:
    assert not is_host(host)
