"""The K rows from K17 and the H rows of the catalogue of bad inputs at large: types, hosts, meanings, keys, headers."""

from __future__ import annotations

import json
from collections.abc import Iterator

from schemas import codec
from tests.builders import alert
from tests.integration.bad_inputs import NO_TIME, STORED, E, Row, plus, text
from tests.integration.many_bad_inputs import (
    COLUMNS,
    INSIDE,
    NUMBERS,
    READ,
    REQUIRED,
    SOUND,
    TEXT_FIELDS,
    TEXTS,
    both,
    changed,
    each,
    each_named,
    fits,
)  # fmt: skip
from tests.integration.wire import Headers

# -- types --------------------------------------------------------------------------------------------------------

_NO_TEXT = ("12", "1.5", "-1", "true", "false", "[]", "{}", '["a"]', '{"a":1}')
_NO_INTEGER = ("-1", '"3"', '""', "true", "false", "3.0", "3e0", "1e1", "-0.0", "1.5", "[]", "{}", "[3]", "2147483648")
_NO_OID = (
    "",
    ".",
    "1",
    "1.",
    "1..3",
    "1.3.*",
    "1.03",
    "1.4294967296",
    "a.b",
    " 1.3",
    "1.3 ",
    "\u0661.\u0663",
    ".".join("1" * 129),
)
_NO_ID = ("", " ", "a b", "a\tb", "é", "a" * 65, "\x7f")


def types() -> Iterator[Row]:
    yield from each_named("K17", [name for name in TEXTS if name != "timestamp"], _NO_TEXT, "field")
    yield from each_named("K17", ("syslog_severity",), (*_NO_INTEGER, "8", "9"), "field")
    yield from each_named("K17", ("facility",), (*_NO_INTEGER, "24", "100"), "field")
    yield from each_named("K17-oid", ("trap_oid",), map(json.dumps, _NO_OID), "field")
    yield from each_named("K17-id", ("correlation_id",), map(json.dumps, _NO_ID), "field")
    yield from each_named("K17-source", ("source",), ('""',), "field")
    for name in READ:
        if name not in REQUIRED:
            null = {name: None} if name in (*COLUMNS[3:], "syslog_severity") else {}
            yield Row(f"K17-null-{name}", changed(name, "null"), STORED, columns=null)
    for name in NUMBERS:
        yield Row(f"K17-zero-{name}", changed(name, "-0"), STORED)
        yield Row(f"K17-most-{name}", changed(name, "7" if name == "syslog_severity" else "23"), STORED)
    yield from _missing()
    yield from each_named("K18-type", ("timestamp",), ("true", "false", "{}", "[]", '["a"]', '{"a":1}'), "field")
    yield from each("K18b", ("timestamp",), [*map(json.dumps, _NO_INSTANT), *_NUMBER_TIMES], STORED, columns=NO_TIME)


def _missing() -> Iterator[Row]:
    for first, name in enumerate(REQUIRED):
        later = REQUIRED[first + 1 :]
        for number, gone in enumerate(((), later[:1], later[1:], later)):
            for null in (False, True):
                members = {one: f'"{one}":null' for one in (name, *gone)} if null else {}
                kept = [
                    f'"{one}":{SOUND.get(one, chr(34) + "a" + chr(34))}' for one in REQUIRED if one not in (name, *gone)
                ]
                body = "{" + ",".join([*members.values(), *kept]) + "}"
                yield Row(f"K18-{name}-{number}-{null}", body.encode(), "missing_field", detail=f"/{name}")
    for number, body in enumerate((b"{}", b'{"x":1}', b" {} ", b'{"Timestamp":"a","HOSTNAME":"b","Message":"c"}')):
        yield Row(f"K18-none-{number}", body, "missing_field", detail="/timestamp")


_NO_INSTANT = (
    "", "-", "now", "yesterday", "0", "1772366400", "2026", "2026-03", "2026-03-01", "12:00:00Z",
    "0000-01-01T00:00:00Z",
    "10000-01-01T00:00:00Z", "294277-01-01T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
    "2026-02-29T00:00:00Z", "2026-04-31T00:00:00Z", "2026-03-01T24:00:00Z", "2026-03-01T12:60:00Z",
    "2026-03-01T12:00:60Z", "2026-03-01T12:00:00", "2026-03-01T12:00:00+99:99", "2026-03-01T12:00:00 CET",
    "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "-2026-03-01T12:00:00Z", "٢٠٢٦-03-01T12:00:00Z",
    "2026-03-01T12:00:00Z\u0001", "2026-03-01T12:00:00ZZ", "2026-W10-7T12:00:00Z", "2026/03/01 12:00:00", "\n",
    "a" * 1000,
)  # fmt: skip
_NUMBER_TIMES = ("0", "1772366400", "1772366400123", "1.5", "-1", "1e9", "1" * 100)
_NO_HOST = ("", " ", "  ", "\t", "\n", "\u3000", "\u2028", "h" * 256, "ä" * 256, "😀" * 256, "h" * 65_536)
_ODD_HOSTS = (
    "../../etc", "fe80::1%eth0", "ä" * 255, "h" * 255, "😀" * 255, "--", "-a", "a-", "10.0.0.1", "[::1]", "a b", "a/b",
    "a\\b", "a:1", "*", "%", "_", "null", "NULL", "undefined", "localhost", "h1.", ".", "..", "'; --", "<b>h</b>",
    "\u202ea", "a\u200b", "A", "h1\n", "{0}", "$h", "`h`", "xn--bcher-kva", "日本",
)  # fmt: skip


def hosts() -> Iterator[Row]:
    yield from each_named("K19", ("hostname",), map(json.dumps, _NO_HOST), "field")
    for number, host in enumerate(_ODD_HOSTS):
        kept = {"hostname": host, "flags": None}
        yield Row(f"K19-strange-{number}", text("hostname", host), STORED, key=host.encode(), columns=kept)
    for number, host in enumerate(("fromkey", "ä", "h" * 255, "a b", "10.0.0.1", "%", "--")):
        kept = {"hostname": host, "flags": None}
        yield Row(f"K19-key-{number}", text("hostname", "-"), STORED, key=host.encode(), columns=kept)
    for number, key in enumerate((None, b"", b"-", b" ", b"\xff", b"h" * 256, b"a\0b", b"a\nb", b"k" * 10_000)):
        yield Row(f"K19-none-{number}", text("hostname", "-"), "missing_field", key=key, detail="/hostname")


# -- texts that mean something elsewhere -----------------------------------------------------------------------------

_MEANT_FOR_OTHERS = {
    "K20": ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "javascript:alert(1)", "{{7*7}}", "${7*7}",
            "<svg/onload=alert(1)>", "'-alert(1)-'", "{% raw %}", "<!--", "]]>", "&lt;", "#{7*7}", "<%= 7*7 %>",
            "${jndi:ldap://x/a}"),
    "K21": ("\x1b]0;x\x07", "\x1b[2J", "\x1b]8;;http://x\x07y", "\x1b]52;c;eA==\x07", "\x9b2J", "ok\rforged",
            "\x08\x08",
            "\x1b[31mred", "\x1bP1$r\x1b\\", "\x7f", "\x1b(0", "\x0e\x0f"),
    "K22": ('x\n{"event": "forged", "level": "error"}', "a\r\nb", "a\u2028b", "a\u2029b", "a\x85b", "\n\n",
            "a\x0bb\x0cc"),
    "K23": ("a\u202eb", "a\u200bb\ufeffc", "e" + "\u0301" * 200, "\u2066a\u2069", "\u061c", "\U000e0041", "\u115f",
            "\ufe0f"),
    "K24": ("=cmd|' /C calc'!A0", "+1", "-1", "@x", "\tx", "\rx", "=1+1", '=HYPERLINK("http://x")', "|x", "%0A=1"),
    "K25": ("'; DROP TABLE audit;--", "%", "_", "\\", "$1", "\\N", "\\.", "E'\\x41'", "$$a$$", "1 OR 1=1", "\\\\",
            "\\b\\f\\n", '"', "''", "/*", "\\x00", "{1,2}", "NULL", "\\u0041"),
}  # fmt: skip


def meanings() -> Iterator[Row]:
    for id, values in _MEANT_FOR_OTHERS.items():
        for number, value in enumerate(values):
            written = json.dumps(value)
            for name in TEXT_FIELDS:
                if not fits(name, value):
                    continue
                kept = {name: value} if name in COLUMNS else {}
                key = value.encode() if name == "hostname" else b"h1"
                yield Row(f"{id}-{name}-{number}", changed(name, written), STORED, key=key, columns=kept)
            yield from each(f"{id}-{number}", (*INSIDE, "x", "key"), (written,), STORED)


# -- what belongs to machinery ------------------------------------------------------------------------------------

_MARKS = ("__faust", "__proto__", "$ref", "@type", "constructor", "py/object", "__class__", "!!python/object", "")
_CONTROL = ("_retry_count", "_moog_retry_count", "shedding_reason", "replay_of", "disposition", "event_id", "offset")
_UUID = "6f1d4c1e-6a53-5b8e-9b57-0c6d75747421"
_ANY = ("7", "null", "true", '"x"', "{}", '{"ns":"x"}', f'"{_UUID}"')
_KEYS: dict[str, tuple[bytes | None, bool]] = {
    "null": (None, False), "empty": (b"", True), "100KB": (b"k" * 100_000, True), "not-utf8": (b"\xff\xfe", True),
    "other": (b"h2", True), "same": (b"h1", False), "upper": (b"H1", True), "space": (b"h1 ", True), "nul": (b"h1\0",
    True),
    "json": (b'{"h":1}', True), "number": (b"\0\0\0\1", True),
}  # fmt: skip


def machinery() -> Iterator[Row]:
    for number, name in enumerate(_MARKS):
        yield from each(f"K26-{number}", ("x",), (f'{{"{name}":{value}}}' for value in _ANY), STORED)
        yield Row(f"K26-{number}-top", plus(f'"{name}":{{"a":1}}'), STORED)
    for number, changes in enumerate(({}, {"hostname": "h2"}, {"event": {}}, {"rule_id": None}, {"team": "\0"})):
        yield Row(f"K27-alert-{number}", codec.encode(alert(**changes)), "missing_field", detail="/timestamp")
    yield Row("K27-body", b'{"source":"mutt","signature":"x","severity":5,"description":"d"}', "missing_field")
    for name, (key, mismatch) in _KEYS.items():
        flags = ["key_mismatch"] if mismatch else None
        yield Row(f"K29-key-{name}", E, STORED, key=key, columns={"hostname": "h1", "flags": flags})
        yield Row(f"K29-key-{name}-letter", b"{", "json", key=key)
    for name in _CONTROL:
        yield from each(f"K30-{name}", (name,), _ANY, STORED, columns={"replay_of": None})
    yield from _objects()


def _objects() -> Iterator[Row]:
    for count in (1001, 1002, 5000, 20_000):
        body = changed("varbinds", "{" + ",".join(f'"1.3.{n}":1' for n in range(count)) + "}")
        yield Row(f"K31-{count}", body, "too_large", detail="/varbinds")
    yield from each_named("K31", ("varbind",), ("{}", "[]", '{"a":1}', "[1]", "[[]]"), "field")
    yield from each(
        "K31-whole", ("varbinds",), ('"x"', "1", "true", "[]", '["1.3.6"]', '""'), "field", detail="/varbinds"
    )
    names = (f'{{"{name}":1}}' for name in ("", "name", "1", "1.", "1.3.*", "1.03", "1.4294967296", "1.3 "))
    yield from each("K31-name", ("varbinds",), names, "field", detail="/varbinds")
    yield from each("K31-value", ("varbind",), ("0", "null", "true", "1.5", '""', '"up"', str(2**64 - 1)), STORED)
    yield from each_named(
        "K32",
        ("structured_data",),
        ("5", "true", "1.5", "[]", "[{}]", '"text"', '"[a"', '"[a][a]"', '"[a b]"'),
        "field",
    )
    fine = (
        '""',
        '"-"',
        '"[a]"',
        '"[a@1 b=\\"c\\"][d]"',
        "{}",
        '{"a":{}}',
        '{"a":{"b":["c",{"d":null}]}}',
        '{"":{"":""}}',
    )
    yield from each("K32-ok", ("structured_data",), fine, STORED)


# -- headers ------------------------------------------------------------------------------------------------------

_OURS = ("id", "stage", "reason", "detail", "topic", "partition", "offset", "timestamp", "attempts", "replays")
_TYPES = (b"application/avro", b"application/x-protobuf", b"text/plain", b"application/json; charset=utf-16", b"")
_CODINGS = (b"gzip", b"zstd", b"deflate", b"br")


def _headers() -> Iterator[tuple[str, Headers]]:
    for number, target in enumerate((b"mutt.audit", b"mutt.alerts", b"mutt.dlq", b"\xff", b"", b"a" * 300)):
        yield f"H1-{number}", ((b"Faust-Ag-ReplyTo", target), (b"Faust-Ag-CorrelationId", b"1"))
    for count in (1, 2, 100, 2000):
        yield f"H2-many-{count}", tuple((b"n%d" % number, b"v") for number in range(count))
        yield f"H2-same-{count}", ((b"n", b"v"),) * count
        yield f"H2-null-{count}", ((b"n", None),) * count
        yield f"H2-bytes-{count}", ((b"\xff\xfe", b"\x00"),) * count
    for size in (0, 1, 10_000, 300_000):
        yield f"H2-name-{size}", ((b"n" * size, b"v"),)
        yield f"H2-value-{size}", ((b"n", b"\xff" * size),)
    for name in _OURS:
        for number, value in enumerate((b"", b"1", _UUID.encode(), b"\xff", None)):
            yield f"H3-{name}-{number}", ((b"mutt.dlq." + name.encode(), value),)
    for number, trace in enumerate((b"0" * 10_000, b"00-" + b"f" * 32 + b"-" + b"f" * 16 + b"-01", b"\xff", b"", None)):
        yield f"H3-trace-{number}", ((b"traceparent", trace),)
    for number, kind in enumerate(_TYPES):
        for coding in _CODINGS:
            yield f"H4-{number}-{coding.decode()}", ((b"content-type", kind), (b"content-encoding", coding))


def headers() -> Iterator[Row]:
    for id, given in _headers():
        yield Row(id, E, STORED, headers=given, columns={"replay_of": None})
        yield Row(f"{id}-letter", b"{broken", "json", headers=given)


PARTS = (types, hosts, meanings, machinery, headers)


def rows() -> Iterator[Row]:
    """All of them, on both topics."""
    return both(PARTS)
