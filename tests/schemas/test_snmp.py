"""Traps into events: RFC 3584's mapping, the true source, no community (S9, S10)."""

from __future__ import annotations

import pytest

from schemas.snmp import ADDRESS, COMMUNITY, TRAP_OID, UPTIME, event_of
from schemas.snmptrapd import Trap


def trap(*variables: tuple[str, bytes], **fields: object) -> Trap:
    usual = Trap(
        received=1795672125, peer="192.0.2.7", agent="0.0.0.0", enterprise=None, generic=0, specific=0, uptime=0,
        variables=[(UPTIME, b"4711"), (TRAP_OID, b"1.3.6.1.6.3.1.1.5.3"), *variables],
    )  # fmt: skip
    return usual._replace(**fields)


def test_v2c() -> None:
    event = event_of(trap(("1.3.6.1.2.1.2.2.1.2.7", b"Gi0/1")))
    assert (event.timestamp, event.hostname, event.source) == ("2026-11-26T05:48:45Z", "192.0.2.7", "snmp")
    assert event.message == "IF-MIB::linkDown: 1.3.6.1.2.1.2.2.1.2.7 = Gi0/1"
    assert event.trap_oid == "1.3.6.1.6.3.1.1.5.3"
    assert event.varbinds == {UPTIME: "4711", "1.3.6.1.2.1.2.2.1.2.7": "Gi0/1"}


@pytest.mark.parametrize(
    ("generic", "specific", "oid"),
    [(number, 0, f"1.3.6.1.6.3.1.1.5.{number + 1}") for number in range(6)] + [(6, 17, "1.3.6.1.4.1.8072.0.17")],
)
def test_S9_v1_by_rfc_3584(generic: int, specific: int, oid: str) -> None:
    event = event_of(
        trap(agent="10.1.2.3", enterprise="1.3.6.1.4.1.8072", generic=generic, specific=specific, variables=[])
    )
    assert event.trap_oid == oid
    assert event.hostname == "10.1.2.3"
    assert event.varbinds == {UPTIME: "0", ADDRESS: "10.1.2.3", "1.3.6.1.6.3.1.1.4.3.0": "1.3.6.1.4.1.8072"}


@pytest.mark.parametrize(
    ("named", "agent", "peer", "host"),
    [
        (b"10.9.8.7", "0.0.0.0", "192.0.2.7", "10.9.8.7"),
        (b"0.0.0.0", "0.0.0.0", "192.0.2.7", "192.0.2.7"),
        (None, "0.0.0.0", "192.0.2.7", "192.0.2.7"),
        (None, "0.0.0.0", None, "unknown"),
    ],
)
def test_S9_the_source_that_a_trap_names_is_its_host(
    named: bytes | None, agent: str, peer: str | None, host: str
) -> None:
    variables = [] if named is None else [(ADDRESS, named)]
    assert event_of(trap(*variables, agent=agent, peer=peer)).hostname == host


def test_S9_a_notification_without_its_oid_is_an_event() -> None:
    event = event_of(trap(variables=[("1.3.6.1.4.1.9.1", b"x")]))
    assert (event.trap_oid, event.message) == (None, "trap without snmpTrapOID: 1.3.6.1.4.1.9.1 = x")


@pytest.mark.parametrize(
    ("octets", "text"),
    [(b"h\xc3\xa9", "hé"), (b"\x00\xff\x10", "00 FF 10"), (b"a\n\tb", "a\n\tb"), (b"a\0", "61 00"), (b"", "")],
)
def test_S9_octets_are_text_where_they_are_printable_utf_8(octets: bytes, text: str) -> None:
    assert event_of(trap(("1.3.6.1.4.1.9.1", octets))).varbinds == {UPTIME: "4711", "1.3.6.1.4.1.9.1": text}


def test_S10_the_community_is_left_out() -> None:
    assert "s3cret" not in repr(event_of(trap((COMMUNITY, b"s3cret"))))


def test_an_oid_that_comes_twice_is_told_twice() -> None:
    event = event_of(trap(("1.3.6.1.4.1.9.1", b"a"), ("1.3.6.1.4.1.9.1", b"b")))
    assert event.message == "IF-MIB::linkDown: 1.3.6.1.4.1.9.1 = a, 1.3.6.1.4.1.9.1 = b"
