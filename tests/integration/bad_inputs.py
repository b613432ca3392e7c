"""Records that arrive and what each must get: the K and H rows of the catalogue of bad inputs, as a table.

`many_bad_inputs.py` and `bad_lines.py` have the rest; `CASES` there is all of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas import codec
from tests.builders import alert
from tests.integration.wire import Headers

STORED = "stored"
E = b'{"timestamp":"2026-03-01T12:00:00Z","hostname":"h1","message":"m"}'
NO_TIME = {"event_time": None, "flags": ["no_event_time"]}
MIB = 1024 * 1024


@dataclass(frozen=True)
class Row:
    """One record; `want` is a dead-letter reason or STORED, `columns` what the audit row must say."""

    id: str
    value: bytes | None
    want: str
    key: bytes | None = b"h1"
    headers: Headers = ()
    columns: Mapping[str, Any] = field(default_factory=dict)
    detail: str = ""
    """What the detail of the letter says: of a field its JSON pointer."""
    topic: str = "mutt.ingest.syslog"

    @property
    def number(self) -> str:
        """Of the catalogue's row: `K18b`."""
        match = _NUMBER.match(self.id)
        assert match is not None, self.id
        return match[0]


_NUMBER = re.compile(r"[A-Z]\d+b?")


def plus(*members: str | bytes) -> bytes:
    """E with more members, written as given."""
    parts = [member.encode() if isinstance(member, str) else member for member in members]
    return b",".join([E[:-1], *parts]) + b"}"


def with_(name: str, value: bytes | str | None) -> bytes:
    """E with one member's value written as given; None leaves it out."""
    members = {"timestamp": b'"2026-03-01T12:00:00Z"', "hostname": b'"h1"', "message": b'"m"'}
    members.pop(name)
    if value is not None:
        members[name] = value.encode() if isinstance(value, str) else value
    return b"{" + b",".join(b'"' + key.encode() + b'":' + data for key, data in members.items()) + b"}"


def text(name: str, value: str) -> bytes:
    return with_(name, json.dumps(value, ensure_ascii=False))


def many(id: str, values: Iterable[bytes | None], want: str, **rest: Any) -> list[Row]:
    return [Row(f"{id}-{number}", value, want, **rest) for number, value in enumerate(values, 1)]


def nested(levels: int, closed: bool = True) -> bytes:
    """E with an unread field that makes so many levels."""
    return plus(b'"x":' + b"[" * (levels - 1) + (b"]" * (levels - 1) if closed else b""))


def stored_text(id: str, values: Iterable[str]) -> list[Row]:
    """The same text as message and as program; the message is stored exactly."""
    rows = []
    for number, value in enumerate(values, 1):
        body = text("message", value)[:-1] + b',"program":' + json.dumps(value).encode() + b"}"
        rows.append(Row(f"{id}-{number}", body, STORED, columns={"message": value}))
    return rows


_OID = '"varbinds":{"1.3.6.1.2":%s}'
_BIG = ("9" * 5000, str(2**64), str(-(2**63) - 1))

SHAPES = [
    *many("K1", [b"", b" \t\n", b"\xef\xbb\xbf"], "empty"),
    Row("K2", None, "tombstone"),
    *many(
        "K3",
        [b"hello", E[:-10], E + b" x", E + E, plus('"x":01'), plus('"x":1.'), plus('"x":+1'), plus('"x":tru'),
         plus('"x":"\\q"'), plus('"x":"a\nb"'), plus("\"x\":'a'"), plus('"x":[1,]'), plus('"x":/**/1')],
        "json",
    ),
    *many("K4", [b"null", b"1", b'"x"', b"[]"], "not_object"),
    Row("K4-5", b"[garbage", "json"),
    *many("K5", [plus('"facility":NaN'), plus('"x":NaN'), plus('"facility":-Infinity'), plus('"x":-Infinity')], "json"),
    *many(
        "K6",
        [plus(f'"facility":{n}') for n in ("1e400", "1e200000")] + [plus(_OID % n) for n in ("1e400", "1e200000")],
        "field",
    ),
    *many("K6-unread", [plus('"x":1e400'), plus('"x":1e200000')], STORED),
    *many("K7", [plus(_OID % n) for n in _BIG], "field"),
    *many("K7-exact", [plus(_OID % n) for n in (2**63, 2**64 - 1)], STORED),
    *many("K7-unread", [plus(f'"x":{n}') for n in _BIG], STORED),
    *many(
        "K8",
        [plus('"hostname":"h2"'), plus('"host\\u006eame":"h2"'), plus('"hostname" :"h2"'),
         plus('"varbinds":{"1.3.6":1,"1.3.6":2}')],
        "duplicate_key",
    ),
    Row("K8-unread", plus('"x":1', '"x":2'), STORED),
    *many("K9", [nested(levels, closed) for levels in (65, 1000, 100_000) for closed in (True, False)], "depth"),
    Row("K9-64", nested(64), STORED),
    *many("K11", [with_(name, f'"{bad}"') for name in ("message", "hostname") for bad in
                  ("\\ud800", "\\udc00", "\\ud800\\u0041")] + [plus('"x":"\\ud800"'), plus('"\\ud800":1')], "json"),
    *many("K11-bytes", [with_("message", b'"\xed\xa0\x80"'), plus(b'"x":"\xed\xa0\x80"')], "encoding"),
    *many("K12", [with_("message", b'"caf\xe9"'), with_("message", b'"\xc0\xaf"'),
                   E.decode().encode("utf-16")], "encoding"),
    *many("K12-json", [E.decode().encode("utf-16-le"), b"\xef\xbb\xbf" * 2 + E], "json"),
    Row("K12-bom", b"\xef\xbb\xbf" + E, STORED),
]  # fmt: skip

TEXTS = [
    Row("K10-message", with_("message", '"a\\u0000b"'), STORED,
        columns={"message": "a\u2400b", "flags": ["nul_shown"]}),
    Row("K10-hostname", with_("hostname", '"a\\u0000b"'), STORED, key=b"a\0b", columns={"hostname": "a\u2400b"}),
    *many("K10", [plus(_OID % '"a\\u0000"'), plus('"a\\u0000":1')], STORED),
    *many("K13", [text("message", "a" * size) for size in (0, 1, 65_536)], STORED, columns={"raw_sha256": None}),
    Row(
        "K13-cut", text("message", "é" * 65_537), STORED,
        columns={"message": "é" * 65_536, "flags": ["message_cut"]},
    ),
    Row("K13-large", plus('"x":"' + "a" * (MIB + 1 - len(plus('"x":""'))) + '"'), "too_large"),
    Row("K13-just", plus('"x":"' + "a" * (MIB - len(plus('"x":""'))) + '"'), STORED),
    *many("K16", [plus(*(f'"k{n}":{n}' for n in range(10_000))), plus('"' + "k" * 100_000 + '":1')], STORED),
    Row("K16-host", text("hostname", "h" * 1_000_000), "field"),
    *stored_text(
        "K20",
        ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "javascript:alert(1)", "{{7*7}}", "${7*7}"],
    ),
    *stored_text("K21", ["\x1b]0;x\x07", "\x1b[2J", "\x1b]8;;http://x\x07y", "\x1b]52;c;eA==\x07", "\x9b2J",
                         "ok\rforged"]),
    *stored_text("K22", ['x\n{"event": "forged", "level": "error"}', "a\r\nb", "a\u2028b"]),
    *stored_text("K23", ["a\u202eb", "a\u200bb\ufeffc", "e" + "\u0301" * 5000]),
    *stored_text("K24", ["=cmd|' /C calc'!A0", "+1", "-1", "@x", "\tx", "\rx"]),
    *stored_text("K25", ["'; DROP TABLE audit;--", "%", "_", "\\", "$1", "\\N", "\\."]),
]  # fmt: skip

FIELDS = [
    *many("K17", [plus(f'"syslog_severity":{bad}') for bad in ("-1", "8", '"3"', "true", "3.0", "3e0")], "field"),
    *many("K17-other", [plus('"facility":24'), plus('"procid":12'), with_("message", "5")], "field"),
    Row("K17-null", plus('"syslog_severity":null'), STORED, columns={"syslog_severity": None}),
    Row("K17-zero", plus('"syslog_severity":-0'), STORED, columns={"syslog_severity": 0}),
    *many("K18", [with_(n, v) for n in ("timestamp", "hostname", "message") for v in (None, "null")], "missing_field"),
    *many("K18-type", [with_("timestamp", bad) for bad in ("true", "{}", "[]")], "field"),
    *many(
        "K18b",
        [text("timestamp", bad) for bad in (
            "0000-01-01T00:00:00Z", "294277-01-01T00:00:00Z", "2026-03-01T12:00:60Z", "2026-03-01T24:00:00Z",
            "2026-03-01T12:00:00", "2026-03-01T12:00:00+99:99", "now", "0001-01-01T00:00:00+14:00")]
        + [with_("timestamp", "1772366400"), with_("timestamp", "1.5")],
        STORED, columns=NO_TIME,
    ),
    *many("K19", [text("hostname", bad) for bad in ("", " ", "h" * 256)], "field"),
    Row("K19-key", text("hostname", "-"), STORED, key=b"fromkey", columns={"hostname": "fromkey", "flags": None}),
    Row("K19-none", text("hostname", "-"), "missing_field", key=None),
    *[
        Row(f"K19-odd-{n}", text("hostname", host), STORED, key=host.encode(),
            columns={"hostname": host, "flags": None})
        for n, host in enumerate(("../../etc", "fe80::1%eth0", "ä" * 255))
    ],
    *many("K26", [plus('"__faust":{"ns":"x"}'), plus('"__proto__":{}', '"$ref":"x"', '"@type":"x"')], STORED),
    *many("K27", [codec.encode(alert()), b'{"source":"mutt","signature":"x","severity":5,"description":"d"}'],
          "missing_field"),
    *[
        Row(f"K29-{name}", E, STORED, key=key, columns={"hostname": "h1", "flags": flags})
        for name, key, flags in (
            ("null", None, None), ("empty", b"", ["key_mismatch"]), ("1MB", b"k" * 1_000_000, ["key_mismatch"]),
            ("not-utf8", b"\xff\xfe", ["key_mismatch"]), ("other", b"h2", ["key_mismatch"]))
    ],
    *many(
        "K30",
        [plus(f'"{name}":7') for name in ("_retry_count", "_moog_retry_count", "shedding_reason")]
        + [plus('"replay_of":"6f1d4c1e-6a53-5b8e-9b57-0c6d75747421"')],
        STORED, columns={"replay_of": None},
    ),
    Row("K31", plus('"varbinds":{' + ",".join(f'"1.3.{n}":1' for n in range(1001)) + "}"), "too_large"),
    *many("K31-bad", [plus(_OID % "{}"), plus(_OID % "[]"), plus('"varbinds":{"name":1}')], "field"),
    Row("K31-just",
        plus('"varbinds":{' + ",".join(f'"1.3.{n}":{("1", "null", "true")[n % 3]}' for n in range(1000)) + "}"),
        STORED),
    Row("K32", plus('"structured_data":5'), "field"),
    *many("K32-ok", [plus('"structured_data":"[a@1 b=\\"c\\"]"'), plus('"structured_data":"-"'),
                     plus('"structured_data":{"a@1":{"b":"c"}}')], STORED),
]  # fmt: skip

_ODD: Headers = (
    *((b"n%d" % number, b"v") for number in range(1000)),
    (b"big", b"b" * 1_000_000), (b"null", None), (b"twice", b"1"), (b"twice", b"2"),
    (b"n\xff\xfe", b"\xff"), (b"", b""),
)  # fmt: skip
_FORGED: Headers = (
    (b"mutt.dlq.id", b"6f1d4c1e-6a53-5b8e-9b57-0c6d75747421"),
    (b"mutt.dlq.reason", b"shed"),
    (b"mutt.dlq.replays", b"99"),
    (b"traceparent", b"0" * 10_000),
)
_TYPED: Headers = ((b"content-type", b"application/avro"), (b"content-encoding", b"gzip"))
_REPLY: Headers = ((b"Faust-Ag-ReplyTo", b"mutt.audit"), (b"Faust-Ag-CorrelationId", b"1"))

HEADERS = [
    row
    for id, headers in (("H1", _REPLY), ("H2", _ODD), ("H3", _FORGED), ("H4", _TYPED))
    for row in (
        Row(id, E, STORED, headers=headers, columns={"replay_of": None}),
        Row(f"{id}-letter", b"{broken", "json", headers=headers),
    )
]

ROWS = [*SHAPES, *TEXTS, *FIELDS, *HEADERS]
