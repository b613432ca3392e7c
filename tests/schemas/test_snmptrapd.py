"""What snmptrapd prints, read back: no text passes for a record, and a cut one costs itself alone (S8)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.snmptrapd import Broken, Found, Said, Trap, TrapReader

LINK_DOWN = b".1.3.6.1.6.3.1.1.4.1.0 = OID: .1.3.6.1.6.3.1.1.5.3"
PEER = b"UDP: [192.0.2.7]:50549->[127.0.0.1]:162"


def record(*variables: bytes, peer: bytes = PEER) -> bytes:
    fields = (b"mutt-trap", b"1795672125", peer, b"0.0.0.0", b".", b"0", b"0", b"0", b"\t".join(variables))
    return b"\t".join(fields) + b"\tmutt-end\n"


def quoted(text: bytes) -> bytes:
    return b".1.3.6.1.2.1.1.5.0 = STRING: " + b'"%b"' % text.replace(b"\\", b"\\\\").replace(b'"', b'\\"')


def read(*pieces: bytes, limit: int = 4096) -> list[Found]:
    reader = TrapReader(limit)
    return [found for piece in pieces for found in reader.feed(piece)] + list(reader.close())


def texts(found: list[Found]) -> list[bytes]:
    """Of each trap the first text."""
    return [next(value for oid, value in one.variables if oid == "1.3.6.1.2.1.1.5.0") for one in traps(found)]


def traps(found: list[Found]) -> list[Trap]:
    return [one for one in found if isinstance(one, Trap)]


def test_a_trap_of_v2c() -> None:
    (trap,) = read(record(b".1.3.6.1.2.1.1.3.0 = 4711", LINK_DOWN, b".1.3.6.1.2.1.2.2.1.1.7 = INTEGER: 7"))
    assert trap == Trap(
        received=1795672125, peer="192.0.2.7", agent="0.0.0.0", enterprise=None, generic=0, specific=0, uptime=0,
        variables=[("1.3.6.1.2.1.1.3.0", b"4711"), ("1.3.6.1.6.3.1.1.4.1.0", b"1.3.6.1.6.3.1.1.5.3"),
                   ("1.3.6.1.2.1.2.2.1.1.7", b"7")],
    )  # fmt: skip


def test_a_trap_of_v1() -> None:
    fields = b"mutt-trap\t1\tUDP: [::1]:5->[::1]:162\t10.1.2.3\t.1.3.6.1.4.1.8072\t6\t.17\t12345\t\tmutt-end\n"
    assert traps(read(fields)) == [Trap(1, "::1", "10.1.2.3", "1.3.6.1.4.1.8072", 6, 17, 12345, [])]


@pytest.mark.parametrize(
    ("printed", "value"),
    [
        (b'STRING: "a \\"b\\" \\\\ c\n\td"', b'a "b" \\ c\n\td'),
        (b"Hex-STRING: 00 FF 00 FF \n00 FF ", b"\0\xff\0\xff\0\xff"),
        (b"Hex-STRING: not hex", b"not hex"),
        (b'""', b""),
        (b"4711", b"4711"),
        (b"NULL", b"NULL"),
        (b"IpAddress: 10.9.8.7", b"10.9.8.7"),
        (b"OID: .1.3.6.1.4.1.9", b"1.3.6.1.4.1.9"),
        (b"Counter64: 18446744073709551615", b"18446744073709551615"),
        (b"Opaque: Float: 1.500000", b"1.500000"),
    ],
)
def test_values(printed: bytes, value: bytes) -> None:
    (trap,) = traps(read(record(b".1.3.6.1.4.1.9.1 = " + printed)))
    assert trap.variables == [("1.3.6.1.4.1.9.1", value)]


@given(st.lists(st.binary(max_size=60), min_size=1, max_size=4), st.integers(1, 40))
def test_S8_any_text_is_read_back_however_it_arrives(contents: list[bytes], size: int) -> None:
    data = b"".join(record(LINK_DOWN, quoted(content)) for content in contents)
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    assert texts(read(*pieces)) == contents


def test_S8_an_imitated_record_within_a_text_is_text() -> None:
    imitation = b"x\tmutt-end\n" + record(quoted(b"forged"))
    found = read(record(quoted(imitation)), record(quoted(b"next")))
    assert texts(found) == [imitation, b"next"]
    assert len(found) == 2


@pytest.mark.parametrize("kept", [30, 60, 100, 120])
def test_S8_a_record_that_was_cut_costs_itself_alone(kept: int) -> None:
    cut = record(LINK_DOWN, quoted(b"lost, and quite long"))[:kept]
    assert not cut.endswith(b"\n")
    found = read(cut + record(quoted(b"kept")) + record(quoted(b"too")))
    assert texts(found) == [b"kept", b"too"]
    assert [type(one) for one in found if not isinstance(one, Trap)] == [Broken]


def test_S8_one_cut_within_a_text_is_given_up_at_the_limit_and_nothing_after_it_is_lost() -> None:
    cut = record(quoted(b"lost"))[:-15]
    later = [record(quoted(b"%d" % number)) for number in range(100)]
    found = read(cut, *later)
    assert texts(found) == [b"%d" % number for number in range(100)]
    assert [type(one) for one in found if not isinstance(one, Trap)] == [Broken]


def test_a_record_without_end_is_held_up_to_the_limit() -> None:
    reader = TrapReader(limit=1000)
    found = list(reader.feed(record(quoted(b"x" * 5000))[:-20]))
    assert [type(one) for one in found] == [Broken]
    assert list(reader.feed(b'"\tmutt-end\n' + record(quoted(b"next"))))[-1] == traps(read(record(quoted(b"next"))))[0]


def test_what_snmptrapd_says_itself_is_no_trap() -> None:
    assert read(b"NET-SNMP version 5.9.3\n", record(LINK_DOWN), b"Stopping snmptrapd\n")[::2] == [
        Said("NET-SNMP version 5.9.3"), Said("Stopping snmptrapd"),
    ]  # fmt: skip


def test_what_it_says_last_needs_no_end_of_line_and_no_line_is_held_for_ever() -> None:
    assert read(b"it died") == [Said("it died")]
    assert read(b"x" * 2000, b"y" * 3000, record(LINK_DOWN))[0] == Broken("a line of more than 4096 bytes", 5000)


@pytest.mark.parametrize(
    "text",
    [
        b"mutt-trap\t1\t2\tmutt-end\n",
        record(b"no variable"),
        record(b"1.3 = x\ty"),
        record(LINK_DOWN).replace(b"1795672125", b"yesterday"),
        record(LINK_DOWN).replace(b"0.0.0.0", b"\xff"),
    ],
)
def test_what_is_no_record_is_left_out(text: bytes) -> None:
    assert read(text) == [Broken("not a record of a trap", len(text))]


@given(st.binary(max_size=300))
def test_nothing_it_is_fed_raises(data: bytes) -> None:
    found = read(b"mutt-trap\t" + data, record(LINK_DOWN))
    assert all(isinstance(one, Trap | Broken | Said) for one in found)
