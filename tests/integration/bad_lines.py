"""The S rows of the catalogue of bad inputs: raw syslog lines, each with what the audit row must say or its reason."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.integration.bad_inputs import MIB, STORED, E, Row

RAW = "mutt.ingest.raw"
UNTIMED = "no_event_time"
BOM = b"\xef\xbb\xbf"
TIME = "2026-03-01T12:00:00Z"


def line(
    id: str,
    value: str | bytes,
    host: str,
    message: str,
    severity: int | None = None,
    *flags: str,
    key: bytes | None = None,
) -> Row:
    """A stored line. Its key is the host's name unless another is given."""
    data = value.encode() if isinstance(value, str) else value
    columns: dict[str, Any] = {
        "hostname": host, "message": message, "syslog_severity": severity, "flags": list(flags) or None
    }  # fmt: skip
    return Row(id, data, STORED, key=host.encode() if key is None else key, columns=columns, topic=RAW)


def whole(id: str, value: str, severity: int | None = None, *flags: str) -> Row:
    """A line of neither format: an event with all of it as message, of the host that the key names."""
    return line(id, value, "h1", value, severity, UNTIMED, *flags)


def refused(id: str, value: bytes | None, want: str, key: bytes | None = b"h1") -> Row:
    return Row(id, value, want, key=key, topic=RAW)


# -- RFC 5424 -----------------------------------------------------------------------------------------------------

_ELEMENTS = (
    "-", "[a]", "[a@1]", '[a b="c"]', '[a b="c" d="e"]', '[a b="c" b="d"]', '[a b="\\]"]', '[a b="\\""]',
    '[a b="\\\\"]',
    '[a b="\\n"]', '[a b="é日😀"]', '[a][b][c]', '[a b=""]', '[exampleSDID@32473 iut="3" eventSource="App"]',
    '[a b="[c]"]'.replace("]\"", "\\]\""), '[' + "a" * 32 + ']',
)  # fmt: skip
_MESSAGES = {
    "none": None,
    "empty": "",
    "text": "m",
    "spaces": "  m ",
    "lines": "a\nb",
    "bracket": "[x] y",
    "utf8": "é日😀",
}


def rfc5424() -> Iterator[Row]:
    for number, elements in enumerate(_ELEMENTS):
        for name, message in _MESSAGES.items():
            after = "" if message is None else f" {message}"
            yield line(f"S1-{number}-{name}", f"<165>1 {TIME} h app 1 ID {elements}{after}", "h", message or "", 5)
    for pri in range(0, 192, 5):
        yield line(f"S1-pri-{pri}", f"<{pri}>1 {TIME} h - - - - m", "h", "m", pri % 8)
    for version in (2, 9, 10, 99, 999):
        yield line(f"S1-version-{version}", f"<1>{version} {TIME} h - - - - m", "h", "m", 1)
    for number, zone in enumerate(("Z", "+00:00", "-00:00", "+14:00", "-12:00", "+05:45")):
        for digits in ("", ".1", ".123", ".123456"):
            stamp = f"2026-03-01T12:00:00{digits}{zone}"
            yield line(f"S1-time-{number}{digits}", f"<1>1 {stamp} h - - - - m", "h", "m", 1)
    yield line("S1-dashes", "<0>999 - - - - - -", "h1", "", 0, UNTIMED)
    yield line("S1-bom", b"<1>1 - h - - - - " + BOM + b"m", "h", "m", 1, UNTIMED)
    yield line("S1-two-boms", b"<1>1 - h - - - - " + BOM * 2 + b"m", "h", "\ufeffm", 1, UNTIMED)
    for host in ("h" * 255, "10.0.0.1", "fe80::1%eth0", "../../etc", "<b>", "'--"):
        yield line(f"S1-host-{host[:8]}", f"<1>1 {TIME} {host} - - - - m", host, "m", 1)


def nearly_rfc5424() -> Iterator[Row]:
    head, rest = "<165>1", "h a - - - m"
    stamps = (
        "2026-03-01t12:00:00Z", "2026-03-01T12:00:00z", "2026-03-01T12:00:00.1234567Z", "2026-02-30T12:00:00Z",
        "2026-03-01T12:00:60Z", "2026-03-01T24:00:00Z", "2026-03-01T12:00:00", "2026-3-1T12:00:00Z", "now", "",
        "2026-03-01T12:00:00+24:00", "2026-03-01T12:00:00+0100",
    )  # fmt: skip
    for number, stamp in enumerate(stamps):
        yield whole(f"S1b-time-{number}", f"{head} {stamp} {rest}", 5)
    bodies = (
        f"{TIME} h {'a' * 49} - - - m", f"{TIME} {'h' * 256} a - - - m", f"{TIME} h a {'p' * 129} - - m",
        f"{TIME} h a - {'i' * 33} - m", f"{TIME} h a - - [a][a] m", f"{TIME} h a - - [a b=c] m",
        f'{TIME} h a - - [a b="c] m',
        f"{TIME} h a - - [] m", f"{TIME} h a - - m", f"{TIME} h a -", f"{TIME}", f'{TIME} h a - - [a b="]"] m',
        f"{TIME} h a - - [{'a' * 33}] m", f"{TIME}  h a - - - m", f"{TIME} hé a - - - m",
    )  # fmt: skip
    for number, body in enumerate(bodies):
        yield whole(f"S1b-body-{number}", f"{head} {body}", 5)
    for number, pri in enumerate(("192", "999", "0191", "00", "-1", "", " 1", "1 ", "٣", "1.0", "a")):
        yield whole(f"S1b-pri-{number}", f"<{pri}>1 {TIME} {rest}")
    for number, version in enumerate(("0", "01", "1000", "a")):
        yield whole(f"S1b-version-{number}", f"<165>{version} {TIME} {rest}", 5)


# -- RFC 3164 -----------------------------------------------------------------------------------------------------

_DAYS = (
    "Oct 11 22:14:15", "Oct  1 22:14:15", "Oct 1 22:14:15", "Oct 11 2025 22:14:15", "Oct 11 22:14:15 2025",
    "2025 Oct 11 22:14:15", "Oct 11 22:14:15.123",
)  # fmt: skip
_REST = {
    "tag": ("h su: x", "h", "x"), "pid": ("h su[7]: x", "h", "x"), "no-tag": ("h a b c", "h", "a b c"),
    "no-host": ("su: x", None, "x"), "tag-no-host": ("su[1]: x", None, "x"), "bare": ("h", "h", ""),
    "address": ("fe80::1 su: x", "fe80::1", "x"), "v4": ("10.0.0.1 su[1]: x", "10.0.0.1", "x"),
    "mnemonic": ("%SYS-5-CONFIG_I: x", None, "%SYS-5-CONFIG_I: x"),
    "host-mnemonic": ("10.0.0.1: %SYS-5-CONFIG_I: x", "10.0.0.1", "%SYS-5-CONFIG_I: x"),
    "aix": ("Message forwarded from aix1: su: x", "aix1", "x"), "repeated": (
        "last message repeated 3 times", None, "last message repeated 3 times"),
}  # fmt: skip
_NO_PRI = ("<>", "<999>", "<0191>", "<-1>", "<1", "<34><34>", "<192>", "< 34>", "<34 >", "<+1>", "<1e1>")


def rfc3164() -> Iterator[Row]:
    for number, day in enumerate(_DAYS):
        for name, (rest, host, message) in _REST.items():
            yield line(f"S2-{number}-{name}", f"<34>{day} {rest}", host or "h1", message, 2, UNTIMED)
            yield line(f"S3-{number}-{name}", f"{day} {rest}", host or "h1", message, None, UNTIMED)
    for number, front in enumerate(("45: ", "45: *", "*", ".", "45: .", ": ")):
        said = "%SYS-5-CONFIG_I: x"
        yield line(f"S2-front-{number}", f"<189>{front}Mar  1 18:46:11: {said}", "h1", said, 5, UNTIMED)
    for number, pri in enumerate(_NO_PRI):
        yield whole(f"S3-pri-{number}", f"{pri}Oct 11 22:14:15 h su: x")
    for number, key in enumerate((b"", b"\xff", b" ", b"-", b"k" * 256, b"a\nb")):
        row = line(
            f"S3-unknown-{number}", "<34>Oct 11 22:14:15 su: x", "unknown", "x", 2, UNTIMED, "key_mismatch", key=key
        )
        yield row


# -- frames, sizes, encodings, formats --------------------------------------------------------------------------

_FRONTS = (b"", b"29 ", b" ", BOM, BOM + b" ", b" 29 ")
_ENDS = (b"", b"\n", b"\r\n", b"\0", b"\n\0", b"\0\n", b"\r\n\0", b"\r")
_SAID = b"<34>Oct 11 22:14:15 h su: x"


def frames() -> Iterator[Row]:
    for first, front in enumerate(_FRONTS):
        for last, end in enumerate(_ENDS):
            yield line(f"S4-{first}-{last}", front + _SAID + end, "h", "x", 2, UNTIMED)
    for number, (end, kept) in enumerate(
        ((b"\n\n", "x\n"), (b"\0\0", "x\u2400"), (b"\r\n\r\n", "x\r\n"), (b" ", "x "))
    ):
        flags = (UNTIMED, "nul_shown") if "\u2400" in kept else (UNTIMED,)
        yield line(f"S4-once-{number}", _SAID + end, "h", kept, 2, *flags)
    for size in (1, 2, 65_535, 65_536, 65_537, 131_072, MIB):
        flags = (UNTIMED,) if size <= 65_536 else (UNTIMED, "message_cut")
        yield line(f"S5-{size}", b"x" * size, "h1", "x" * min(size, 65_536), None, *flags)
        yield refused(f"S5-nul-{size}", b"\0" * size, "line")
    for size in (MIB + 1, MIB + 1000, 2 * MIB):
        yield refused(f"S5-large-{size}", b"x" * size, "too_large")
    for number, blank in enumerate((b"", b" ", b"\r\n", b"\t \n", BOM, BOM + b"\n", b"\x0b\x0c", b" " * 70_000)):
        yield refused(f"S5-blank-{number}", blank, "empty")
    for number, nothing in enumerate(
        (b"<34>", b"<34> \r\n", b"<34>\0", b"\x1b\x07", b"5 <34>", b"<0>", b"<191>\n", b"\x7f")
    ):
        yield refused(f"S5-nothing-{number}", nothing, "line")
    for number, key in enumerate((b"h1", b"", None, b"\xff")):
        yield refused(f"S5-null-{number}", None, "tombstone", key)


_NO_UTF8 = (
    b"caf\xe9", b"\xe2\x82", b"\xff\xfe", b"\xc3", b"\xf0\x9f\x98", b"\xc0\xaf", b"\xed\xa0\x80", "x".encode("utf-16"),
    b"\x80", b"\xa4\xa4 \xb5",
)  # fmt: skip


def encodings() -> Iterator[Row]:
    for number, said in enumerate(_NO_UTF8):
        kept, nul = (said + b".").decode("latin-1").replace("\0", "\u2400"), ("nul_shown",) if b"\0" in said else ()
        yield line(f"S6-3164-{number}", _SAID[:-1] + said + b".", "h", kept, 2, UNTIMED, "latin1", *nul)
        head = f"<34>1 {TIME} h - - - - ".encode()
        yield line(f"S6-5424-{number}", head + said + b".", "h", kept, 2, "latin1", *nul)
        yield line(f"S6-other-{number}", b"x " + said + b".", "h1", f"x {kept}", None, UNTIMED, "latin1", *nul)
    for number, said in enumerate(("a\0b", "\0a", "a\0\0b")):
        shown = said.replace("\0", "\u2400")
        yield line(f"S6-nul-{number}", _SAID[:-1] + said.encode(), "h", shown, 2, UNTIMED, "nul_shown")
    documents = (E.decode(), "{}", "[]", "null", '"x"', "1", json.dumps({"hostname": "other", "message": "m"}), '{"a":')
    for number, document in enumerate(documents):
        yield whole(f"S7-json-{number}", document)
    for topic in ("mutt.ingest.syslog", "mutt.ingest.snmp"):
        for number, said in enumerate((_SAID, f"<165>1 {TIME} h - - - - m".encode(), b"Oct 11 22:14:15 h su: x", b"x")):
            yield Row(f"S7-line-{number}-{topic[12:]}", said, "json", topic=topic)


PARTS = (rfc5424, nearly_rfc5424, rfc3164, frames, encodings)


def rows() -> Iterator[Row]:
    for part in PARTS:
        yield from part()
