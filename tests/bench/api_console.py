"""Pages of the console over a long audit: how long the server takes for each, and what the first one weighs."""

from __future__ import annotations

import time
from statistics import median
from typing import Any
from urllib.parse import quote

import aiohttp

from tests.bench.report import p99

TARGETS: dict[str, float] = {"console_page_p99_ms": -50, "console_first_page_kb": -100}
"""Negative bounds are maxima."""
TIMES = 300
WARM_UP = 5
FILES = ("console.css", "console.js", "mutt.svg")

PAGES = {
    "overview": "/ui", "events": "/ui/events", "events_of_host": "/ui/events?hostname=host-0",
    "events_of_rare_host": "/ui/events?hostname=host-3000", "events_of_rule": "/ui/events?rule_id=1",
    "alerts": "/ui/alerts", "rules": "/ui/rules", "dead_letters": "/ui/dead-letters", "slo": "/ui/slo",
    "configuration": "/ui/config", "ledger": "/ui/ledger", "system": "/ui/system",
}  # fmt: skip


async def measure(base: str, key: str, event_id: str) -> dict[str, Any]:
    """Milliseconds of each page, one request after the other on one connection, as who may do everything."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client:
        headers = {"Cookie": await _signed_in(client, base, key), "Accept-Encoding": "gzip"}
        figures: dict[str, Any] = {}
        for name, path in (PAGES | {"event": f"/ui/events/{quote(event_id, safe='')}"}).items():
            waits = [await _timed(client, base + path, headers) for _ in range(WARM_UP + TIMES)][WARM_UP:]
            figures |= {f"console_{name}_p50_ms": round(median(waits), 1), f"console_{name}_p99_ms": p99(waits)}
        figures["console_page_p99_ms"] = max(value for name, value in figures.items() if name.endswith("_p99_ms"))
        figures["console_first_page_kb"] = round(await _first_page(client, base, headers) / 1000, 1)
    return figures


async def _signed_in(client: aiohttp.ClientSession, base: str, key: str) -> str:
    form = {"key": key, "to": "/ui"}
    async with client.post(f"{base}/ui/sign-in", data=form, headers={"Origin": base}, allow_redirects=False) as answer:
        assert answer.status == 303, await answer.text()
        return answer.headers["Set-Cookie"].partition(";")[0]


async def _timed(client: aiohttp.ClientSession, url: str, headers: dict[str, str]) -> float:
    began = time.perf_counter()
    async with client.get(url, headers=headers) as answer:
        body = await answer.read()
        assert answer.status == 200, (url, body[:300])
    return (time.perf_counter() - began) * 1000


async def _first_page(client: aiohttp.ClientSession, base: str, headers: dict[str, str]) -> int:
    """Bytes on the wire of the overview and of what it asks for: bodies as they are sent, and head lines."""
    total = 0
    for path in ("/ui", *(f"/ui/static/{name}" for name in FILES)):
        async with client.get(base + path, headers=headers, auto_decompress=False) as answer:
            body = await answer.read()
            total += len(body) + sum(len(name) + len(value) + 4 for name, value in answer.raw_headers)
    return total
