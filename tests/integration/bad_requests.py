"""The A and Q rows of the catalogue of bad inputs at large: requests made from the API's own document,
each with its status."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

JSON = {"Content-Type": "application/json"}
MIB = 1024 * 1024


class Bad(NamedTuple):
    """One request; `number` is the catalogue's row."""

    number: str
    want: tuple[int, ...]
    method: str
    target: str
    headers: Mapping[str, str] = {}
    body: bytes | None = None


_NO_JSON = (
    b"{", b'{"a":1} x', b"{'a':1}", b'{"a":NaN}', b'{"a":1,"a":2}', b'{"a":{"b":1,"b":2}}', b'{"a":"\\ud800"}',
    b'{"a":"caf\xe9"}', b"[" * 65 + b"]" * 65, b'{"a":"\n"}', "{}".encode("utf-16"), b"", b"\xef\xbb\xbf\xef\xbb\xbf{}",
    b'{"a":01}', b'{"a":1e}', b"{}{}", b"\0",
)  # fmt: skip
_NO_TYPES = (
    "text/plain",
    "application/xml",
    "multipart/form-data; boundary=x",
    "application/x-www-form-urlencoded",
    "*/*",
)
_CODINGS = ("gzip", "deflate", "br", "zstd", "gzip, gzip")
_NO_LIMITS = ("-1", "0", "%D9%A1%D9%A0", "", "1.5", "1e3", "0x10", "ten", "%20", "1%00")
_NO_CURSORS = ("", "x", "A" * 5000, "%00", "AAAA", "..", "eyJhIjoxfQ", "-" * 64, "%F0%9F%98%80", "a=b")
_NO_WORDS = ("%3Bdrop", "'", "%00", "a,b", "%25a%25a", "x" * 300)
_PATHS = (
    "/api/v2/..%2f..%2fetc/passwd", "/api/v2/rules/%00", "//api/v2/rules", "/api/v2/rules;x", "/api/v2/rules/%C0%AF",
    "/api/v2/rules/1%2f2", "/api/v2/rules/-1", "/api/v2/rules/9999999999999999999999", "/api/v2/rules/1e3", "/api/v2/",
    "/api/v3/rules", "/api/v2/rules/%E2%82%AC", "/.git/config", "/api/v2/rules/1/history/../../../keys", "/%2e%2e/",
    "/api/v2/RULES", "/api/v2/rules//1", "/api/v2/rules/{id}", "/api/v2/rules/%s%n", "/metrics/../api",
)  # fmt: skip


def bad_requests(document: Mapping[str, Any]) -> Iterator[Bad]:
    """Of every operation that needs no id, each parameter and the body made wrong in turn; then paths and methods."""
    for path, methods in document["paths"].items():
        if "{" in path:
            continue
        for method, operation in methods.items():
            if method not in ("get", "post", "put", "patch", "delete"):
                continue
            yield from _parameters(path, method.upper(), operation)
            if "requestBody" in operation and method == "post":
                yield from _bodies(path, operation)
    yield from _elsewhere()


def _parameters(path: str, method: str, operation: Mapping[str, Any]) -> Iterator[Bad]:
    if method != "GET":
        return
    for parameter in operation.get("parameters", ()):
        name, schema = parameter["name"], parameter.get("schema", {})
        if parameter["in"] != "query":
            continue
        if name == "cursor":
            for text in _NO_CURSORS:
                yield Bad("Q2", (400, 422), method, f"{path}?cursor={text}")
            continue
        if schema.get("type") == "integer":
            for text in _NO_LIMITS:
                if text != "0" or schema.get("minimum", 0) > 0:
                    yield Bad("Q1", (422,), method, f"{path}?{name}={text}")
            much = (
                (200,) if "maximum" not in schema and path.startswith("/api/v1") else (422,)
            )  # v1: counts as the most
            yield Bad("Q1", much, method, f"{path}?{name}={'9' * 30}")
            yield Bad("Q1", (422,), method, f"{path}?{name}=1&{name}=1")
        elif "enum" in schema or "$ref" in schema or schema.get("type") == "boolean":
            for text in _NO_WORDS:
                yield Bad("Q4", (422,), method, f"{path}?{name}={text}")
        elif schema.get("format") == "date-time" or "anyOf" in schema:
            for text in ("now", "now-1d", "2026-13-01T00:00:00Z", "1772366400", "", "%00"):
                yield Bad("Q3", (422,), method, f"{path}?{name}={text}")
        else:
            yield Bad("Q4", (422,), method, f"{path}?{name}=a%00b")
            yield Bad("Q4", (414,), method, f"{path}?{name}={'x' * 20_000}")


def _bodies(path: str, operation: Mapping[str, Any]) -> Iterator[Bad]:
    media = operation["requestBody"]["content"]
    if "application/json" not in media:
        return
    events = path.endswith("/events")  # of which each is judged by itself, as from the topic
    for body in _NO_JSON:
        yield Bad("A4", (400, 422) if events else (400,), "POST", path, JSON, body)
    for kind in _NO_TYPES:
        if kind not in media:
            yield Bad("A1", (415,), "POST", path, {"Content-Type": kind}, b"{}")
    for coding in _CODINGS:
        yield Bad("A2", (415,), "POST", path, JSON | {"Content-Encoding": coding}, b"{}")
    yield Bad("A2", (413,), "POST", path, JSON, b'{"a":"' + b"x" * (2 * MIB) + b'"}')
    if path.startswith("/api/v2"):
        for data in ({"created_by": "me", "version": 3}, [], 5, "x", None):
            if not (data == [] and events):
                yield Bad("A5", (422,), "POST", path, JSON, json.dumps(data).encode())


def _elsewhere() -> Iterator[Bad]:
    for target in _PATHS:
        yield Bad("A8", (400, 404), "GET", target)
    yield Bad("A8", (414,), "GET", "/api/v2/" + "x" * 9000)
    for method in ("TRACE", "PROPFIND", "CONNECT", "PURGE", "DELETE", "PATCH"):
        for target in ("/api/v2/rules", "/api/v2/audit-logs", "/health"):
            yield Bad("A9", (400, 404, 405), method, target)
    for host in ("evil.example", "localhost.evil.example", "127.0.0.1@evil", "a b", "[::1", "xn--", "evil:99999"):
        yield Bad("A10", (400,), "GET", "/api/v2/rules", {"Host": host})
    for name in ("X-HTTP-Method-Override", "X-Method-Override", "X-Forwarded-Host", "X-Forwarded-For", "Forwarded"):
        for value in ("DELETE", "evil.example", "' OR 1=1", "x" * 5000):
            yield Bad("A9", (200,), "GET", "/api/v2/rules", {name: value})
    for value in ("x" * 10_000, "caf\xe9", "a b", "\x01", "", "é" * 40):
        yield Bad("A14", (200, 400), "GET", "/api/v2/rules", {"X-Correlation-ID": value})
    for value in ("bytes=" + ",".join(f"{n}-{n}" for n in range(1000)), "bytes=-1", "lines=1-2", "bytes=5-1"):
        yield Bad("A3", (200,), "GET", "/api/v2/rules", {"Range": value})
