"""The K rows of the catalogue of bad inputs at large, K1 to K16: each value in every field, on both JSON topics."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from schemas.events import Event
from tests.integration.bad_inputs import MIB, NO_TIME, STORED, E, Row, plus, text, with_

REQUIRED = ("timestamp", "hostname", "message")
NUMBERS = ("syslog_severity", "facility")
OBJECTS = ("varbinds", "structured_data")
READ = Event.__struct_fields__
TEXTS = tuple(name for name in READ if name not in (*NUMBERS, *OBJECTS))
COLUMNS = ("message", "hostname", "source", "correlation_id", "trap_oid")
"""Fields with a column of their own."""
TEXT_FIELDS = ("message", "program", "procid", "msgid", "source", "hostname")
"""Those that take any text."""
UNREAD = ("x", "nested", "listed")
OIDS = '{"1.3.6.1.2":%s}'
SNMP = "mutt.ingest.snmp"


def changed(name: str, written: str | bytes) -> bytes:
    """E with one field, or one place inside a field, as written."""
    if name in REQUIRED:
        return with_(name, written)
    if isinstance(written, str):
        written = written.encode()
    before, after = _PLACES.get(name, (b'"%s":' % name.encode(), b""))
    return plus(before + written + after)


_PLACES = {
    "nested": (b'"x":{"a":[{"b":', b"}]}"),
    "listed": (b'"x":[1,', b"]"),
    "key": (b'"x":{', b":1}"),
    "varbind": (b'"varbinds":{"1.3.6.1.2":', b"}"),
    "parameter": (b'"structured_data":{"a@1":{"b":', b"}}"),
}
"""Places that are no field of their own."""
INSIDE = ("varbind", "parameter")


def each(id: str, names: Iterable[str], values: Iterable[str | bytes], want: str, **rest: Any) -> Iterator[Row]:
    """Every value in every place."""
    written = list(values)
    for name in names:
        for number, value in enumerate(written, 1):
            yield Row(f"{id}-{name}-{number}", changed(name, value), want, **rest)


def each_named(id: str, names: Iterable[str], values: Iterable[str | bytes], want: str) -> Iterator[Row]:
    """The same, where the letter's detail must name the field."""
    for name in names:
        pointer = {"varbind": "/varbinds/1.3.6.1.2", "parameter": "/structured_data"}.get(name, f"/{name}")
        yield from each(id, (name,), values, want, detail=pointer)


def fits(name: str, text: str) -> bool:
    """Whether the field takes this text."""
    longest = {"source": 64, "hostname": 255}.get(name, MIB)
    return len(text) <= longest and not (name == "hostname" and text.isspace())


def both(parts: Iterable[Callable[[], Iterator[Row]]]) -> Iterator[Row]:
    """On both JSON topics, which read the same."""
    for part in parts:
        for row in part():
            yield row
            yield replace(row, id=f"{row.id}-snmp", topic=SNMP)


# -- no event at all --------------------------------------------------------------------------------------------

_BLANK = (b"", b" ", b"\t", b"\n", b"\r\n", b" " * 1000, b"\n" * 70_000, b"\xef\xbb\xbf", b"\xef\xbb\xbf \n")
_BROKEN = (
    "01", "-01", "1.", ".5", "+1", "1e", "1e+", "0x1", "--1", "tru", "True", "nul", "None", "undefined", '"\\q"',
    '"\\x41"', '"\\u12"', '"\\u{41}"', '"a\nb"', '"a\tb"', '"a\0b"', "'a'", '"open', "[1,]", "[,1]", "[1 2]", '{"a"}',
    '{"a":}', '{"a":1,}', "{a:1}", '{"a":1 "b":2}', "/**/1", "//1", "[1}", "", "1 2", "`a`", "\ufeff1",
)  # fmt: skip
_AFTER = (" x", "}", "]", ",", "\0", "1", '"', "//", "\n" + E.decode(), "\x1e", "null")
_NO_OBJECT = (
    "null", "true", "false", "0", "-1.5", "1e3", '""', '"x"', "[]", "[[]]", "[1]", '["timestamp"]', f"[{E.decode()}]",
    " null ", '"{}"', json.dumps(E.decode()), "12345678901234567890123",
)  # fmt: skip
_NO_NUMBER = ("NaN", "-NaN", "nan", "Infinity", "-Infinity", "inf", "-inf", "1#INF")


def shapes() -> Iterator[Row]:
    for number, value in enumerate(_BLANK):
        yield Row(f"K1-blank-{number}", value, "empty")
    for name, key in (("empty", b""), ("none", None), ("bytes", b"\xff\xfe"), ("long", b"k" * 10_000), ("nul", b"\0")):
        yield Row(f"K2-{name}", None, "tombstone", key=key)
        yield Row(f"K2-{name}-headers", None, "tombstone", key=key, headers=((b"a", None), (b"a", b"\xff")))
    for size in range(1, len(E)):
        yield Row(f"K3-cut-{size}", E[:size], "json")
    for number, tail in enumerate(_AFTER):
        yield Row(f"K3-after-{number}", E + tail.encode(), "json")
    yield from each("K3", ("program", "facility", "varbind", *UNREAD), _BROKEN, "json")
    for number, value in enumerate(_NO_OBJECT):
        yield Row(f"K4-whole-{number}", value.encode(), "not_object")
        yield Row(f"K4-garbage-{number}", value.encode() + b"garbage", "json")
    yield from each("K5", (*READ, *INSIDE, *UNREAD), _NO_NUMBER, "json")


# -- numbers ----------------------------------------------------------------------------------------------------

_TOO_FAR = ("1e400", "-1e400", "1e309", "1e200000", "1" * 400 + ".5")
_TOO_LONG = (
    "9" * 5000, "-" + "9" * 5000, str(2**64), str(-(2**63) - 1), str(2**128), "1" + "0" * 100
)  # fmt: skip
_EXACT = (str(2**53 + 1), str(2**63 - 1), str(2**63), str(2**64 - 1), str(-(2**63)), "-0", "1e308", "0.1", "1e-400")


def numbers() -> Iterator[Row]:
    others = [name for name in READ if name != "timestamp"]
    yield from each_named("K6", (*others, *INSIDE), _TOO_FAR, "field")
    yield from each("K6-unread", UNREAD, _TOO_FAR, STORED)
    yield from each("K6-time", ("timestamp",), _TOO_FAR, STORED, columns=NO_TIME)
    yield from each_named("K7", (*others, *INSIDE), _TOO_LONG, "field")
    yield from each("K7-unread", UNREAD, _TOO_LONG, STORED)
    yield from each("K7-exact", (*INSIDE, *UNREAD), _EXACT, STORED)


# -- names, depth, encodings --------------------------------------------------------------------------------------

SOUND: dict[str, str] = {
    "syslog_severity": "3", "facility": "3", "varbinds": OIDS % 1, "structured_data": '{"a@1":{"b":"c"}}',
    "trap_oid": '"1.3.6"', "timestamp": '"2026-03-01T12:00:00Z"',
}  # fmt: skip
"""A value that is right, where "a" is not."""
_INNER = (
    '{"1.3.6":1,"1.3.6":2}', '{"1.3.6":1,"1.3.7":2,"1.3.6":1}', '{"1.3.6":1,"\\u0031.3.6":1}',
    '{"1.3.6":null,"1.3.6":1}'
)  # fmt: skip
_INNER_SD = ('{"a":{},"a":{}}', '{"a":{"b":"1","b":"2"}}', '{"a":{"b":[{"c":1,"c":1}]}}', '{"a":1,"\\u0061":1}')


def names() -> Iterator[Row]:
    for name in READ:
        first = b"" if name in REQUIRED else f'"{name}":{SOUND.get(name, chr(34) + "a" + chr(34))},'.encode()
        spelt = f"\\u{ord(name[0]):04x}{name[1:]}"
        seconds = (
            f'"{name}":1',
            f'"{name}" : 1',
            f'"{name}"\n:"b"',
            f'"{name}":null',
            f'"{name}":{{}}',
            f'"{spelt}":1',
        )
        for number, second in enumerate(seconds):
            yield Row(f"K8-{name}-{number}", plus(first + second.encode()), "duplicate_key", detail=f"/{name}")
    yield from each("K8-inside", ("varbinds",), _INNER, "duplicate_key", detail="/varbinds/1.3.6")
    yield from each("K8-inside", ("structured_data",), _INNER_SD, "duplicate_key", detail="/structured_data/a")
    yield from each("K8-unread", UNREAD, ('{"a":1,"a":2}', '{"hostname":1,"hostname":2}'), STORED)
    yield Row("K8-unread-thrice", plus('"x":1', '"x":2', '"x":3'), STORED)
    yield Row("K8-two-spellings", changed("varbinds", '{"1.3.6":1,".1.3.6":2}'), STORED)
    yield Row("K8-in-text", text("message", '"hostname":"a","hostname":"b"'), STORED)


_OPEN = {"lists": ("[", "]"), "objects": ('{"a":', "}"), "mixed": ('[{"a":', "}]")}


def depths() -> Iterator[Row]:
    """`levels` of brackets inside the record's own."""
    for kind, (opening, closing) in _OPEN.items():
        per = opening.count("[") + opening.count("{")
        for levels in (64, 66, 100, 1000, 50_000):
            inner = opening * (levels // per)
            for place in ("x", "program", "structured_data"):
                yield Row(
                    f"K9-{kind}-{place}-{levels}", changed(place, inner + "1" + closing * (levels // per)), "depth"
                )
                yield Row(f"K9-{kind}-{place}-{levels}-open", changed(place, inner), "depth")
        inner = opening * (62 // per) + "1" + closing * (62 // per)
        yield Row(f"K9-{kind}-allowed", changed("x", inner), STORED)
    for number, brackets in enumerate(("[" * 1000, "{" * 1000, '\\"[' * 500, "]" * 1000)):
        yield Row(f"K9-text-{number}", changed("x", f'"{brackets}"'), STORED)


_NULS = ("\\u0000", "a\\u0000b", "\\u0000\\u0000", "a\\u0000", "\\u0000" * 1000)
_SURROGATES = (
    "\\ud800", "\\udc00", "\\udfff", "\\ud800\\u0041", "\\ud800\\ud800", "\\udc00\\ud800", "a\\udbffb", "\\uD83D\\n"
)  # fmt: skip
_PAIRS = {"\\ud83d\\ude00": "😀", "\\uD83D\\uDE00": "😀", "\\ud800\\udc00": "\U00010000", "\\uffff": "\uffff"}
_NO_UTF8 = (
    b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xf4\x90\x80\x80", b"\xc0\x80", b"\xc0\xaf", b"\xff", b"\xfe", b"\x80",
    b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98", b"\xf8\x88\x80\x80\x80", b"caf\xe9", b"\xa4\xa4",
)  # fmt: skip


def encodings() -> Iterator[Row]:
    for number, written in enumerate(_NULS):
        shown = json.loads(f'"{written}"').replace("\0", "\u2400")
        for name in TEXT_FIELDS:
            if not fits(name, shown):
                continue
            columns: dict[str, Any] = {"flags": ["nul_shown"]} | ({name: shown} if name in COLUMNS else {})
            key = json.loads(f'"{written}"').encode() if name == "hostname" else b"h1"
            yield Row(f"K10-{name}-{number}", changed(name, f'"{written}"'), STORED, key=key, columns=columns)
        yield from each(f"K10-{number}", (*INSIDE, *UNREAD), (f'"{written}"',), STORED)
        yield Row(f"K10-key-{number}", changed("key", f'"{written}"'), STORED)
        yield from each_named(f"K10-{number}", ("trap_oid", "correlation_id"), (f'"{written}"',), "field")
    quoted = [f'"{one}"' for one in _SURROGATES]
    yield from each("K11", (*TEXTS, *INSIDE, *UNREAD, "key"), quoted, "json")
    for number, (written, char) in enumerate(_PAIRS.items()):
        yield Row(f"K11-pair-{number}", changed("message", f'"{written}"'), STORED, columns={"message": char})
    raw = [b'"' + one + b'"' for one in _NO_UTF8]
    yield from each("K11-bytes", (*TEXTS, *INSIDE, *UNREAD, "key"), raw, "encoding")
    for name in ("utf-16", "utf-32"):
        yield Row(f"K12-{name}", E.decode().encode(name), "encoding")
        yield Row(f"K12-{name}-be-mark", b"\0\0"[: 2 * (name == "utf-32")] + b"\xfe\xff" + E, "encoding")
        for order in ("le", "be"):
            yield Row(f"K12-{name}-{order}", E.decode().encode(f"{name}-{order}"), "json")
    for name in ("latin-1", "cp1252", "mac-roman", "cp850", "shift-jis", "euc-jp", "gb18030", "koi8-r"):
        said = {"shift-jis": "日本", "euc-jp": "日本", "gb18030": "中国", "koi8-r": "связь"}.get(name, "Überlauf é")
        yield Row(f"K12-{name}", text("message", said).decode().encode(name), "encoding")
    yield Row("K12-bom-letter", b"\xef\xbb\xbf{", "json")


# -- sizes --------------------------------------------------------------------------------------------------------


def sizes() -> Iterator[Row]:
    for char in ("a", "é", "日", "😀", "\u2400"):
        for size in (1, 2, 65_535, 65_536, 65_537, 131_072):
            kept = {"message": (char * size)[:65_536], "flags": None if size <= 65_536 else ["message_cut"]}
            yield Row(f"K13-{ord(char):x}-{size}", text("message", char * size), STORED, columns=kept)
    for over in (1, 2, 1000, MIB):
        for name in ("x", "message", "listed"):
            bare = len(changed(name, '""'))
            yield Row(f"K13-{name}-over-{over}", changed(name, '"' + "a" * (MIB + over - bare) + '"'), "too_large")
    yield Row("K13-spaces", E + b" " * MIB, "too_large")
    for count in (1000, 5000, 20_000):
        yield Row(f"K16-keys-{count}", plus(*(f'"k{n}":{n}' for n in range(count))), STORED)
    for size in (1000, 3000, 50_000, 500_000):
        yield Row(f"K16-key-{size}", plus('"' + "k" * size + '":1'), STORED)
        yield Row(f"K16-program-{size}", changed("program", '"' + "p" * size + '"'), STORED)
        yield Row(f"K16-host-{size}", text("hostname", "h" * size), "field", detail="/hostname")
        yield Row(f"K16-source-{size}", changed("source", '"' + "s" * size + '"'), "field", detail="/source")
    for name in ("correlation_id", "trap_oid"):
        yield Row(f"K16-{name}", changed(name, '"' + "1" * 2705 + '"'), "field", detail=f"/{name}")


PARTS = (shapes, numbers, names, depths, encodings, sizes)


def rows() -> Iterator[Row]:
    """All of them, on both topics."""
    return both(PARTS)
