"""The webhook receiver of the stack: a real HTTP server that logs every post and fails on command.

`POST /alerts` receives; `PUT /control` says how to answer, `GET /stats` what came. `POST /pages` takes what
Alertmanager posts, and `GET /pages` shows it. On loopback, where no other address is given.
Run as `python -m ops.devstack.sink [ADDRESS:]PORT LOG [SIGNING_SECRET_FILE [CERTIFICATE KEY]]`.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import ssl
import sys
import time
from collections import Counter, deque
from pathlib import Path
from typing import Any, TextIO

from aiohttp import web

BODY_LIMIT = 4 * 1024 * 1024
PAGES_KEPT = 500


class Sink:
    """What the receiver remembers, and how it answers next."""

    def __init__(self, log: TextIO, secret: bytes | None) -> None:
        self._log = log
        self._secret = secret
        self.control: dict[str, Any] = {}
        self.answers: Counter[int] = Counter()
        self.delivered: Counter[str] = Counter()
        self.bad_signatures = 0
        self.pages: deque[dict[str, Any]] = deque(maxlen=PAGES_KEPT)

    async def receive(self, request: web.Request) -> web.Response:
        came, body = time.time(), await request.read()
        if delay := self.control.get("delay_ms"):
            await asyncio.sleep(delay / 1000)
        identity = request.headers.get("webhook-id", "")
        signed = self._signed(request, body)
        alert = _parsed(body)
        status = self._status(alert) if signed else 401
        self.answers[status] += 1
        if status < 300 and not identity.startswith("probe-"):
            self.delivered[identity] += 1
        self.bad_signatures += not signed
        line = {
            "came": came,
            "at": time.time(),
            "id": identity,
            "status": status,
            "retry_after": self.control.get("retry_after"),
            "host": alert.get("source_id"),
            "severity": alert.get("severity"),
            "signature": alert.get("signature"),
            "sha256": hashlib.sha256(body).hexdigest(),
        }
        self._log.write(json.dumps(line) + "\n")
        self._log.flush()
        headers = {"Retry-After": str(self.control["retry_after"])} if "retry_after" in self.control else {}
        return web.json_response({"status": status}, status=status, headers=headers)

    async def set_control(self, request: web.Request) -> web.Response:
        self.control = await request.json()
        return web.json_response(self.control)

    async def stats(self, _: web.Request) -> web.Response:
        body = {
            "answers": {str(status): count for status, count in self.answers.items()},
            "distinct": len(self.delivered),
            "duplicates": sum(self.delivered.values()) - len(self.delivered),
            "bad_signatures": self.bad_signatures,
        }
        return web.json_response(body)

    async def page(self, request: web.Request) -> web.Response:
        self.pages.extend((await request.json())["alerts"])
        return web.Response()

    async def paged(self, _: web.Request) -> web.Response:
        return web.json_response(list(self.pages))

    def _status(self, alert: dict[str, Any]) -> int:
        rejected = self.control.get("reject_host")
        if rejected is not None:
            return int(self.control.get("status", 422)) if alert.get("source_id") == rejected else 200
        return int(self.control.get("status", 200))

    def _signed(self, request: web.Request, body: bytes) -> bool:
        """Standard Webhooks: HMAC-SHA256 over id.timestamp.body, any of the signatures given may fit."""
        if self._secret is None:
            return True
        content = f"{request.headers.get('webhook-id')}.{request.headers.get('webhook-timestamp')}.".encode() + body
        wanted = base64.b64encode(hmac.digest(self._secret, content, "sha256")).decode()
        given = request.headers.get("webhook-signature", "").split()
        return any(hmac.compare_digest(f"v1,{wanted}", signature) for signature in given)


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def application(sink: Sink) -> web.Application:
    app = web.Application(client_max_size=BODY_LIMIT)
    app.router.add_post("/alerts", sink.receive)
    app.router.add_put("/control", sink.set_control)
    app.router.add_get("/stats", sink.stats)
    app.router.add_post("/pages", sink.page)
    app.router.add_get("/pages", sink.paged)
    return app


def main(
    address: str, log: Path, secret_file: Path | None = None, cert: Path | None = None, key: Path | None = None
) -> None:
    host, _, port = address.rpartition(":")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) if cert else None
    if tls is not None and cert is not None:
        tls.load_cert_chain(cert, key)
    secret = base64.b64decode(secret_file.read_text().strip().removeprefix("whsec_")) if secret_file else None
    with log.open("a", encoding="utf-8") as lines:
        app = application(Sink(lines, secret))
        web.run_app(app, host=host or "127.0.0.1", port=int(port), ssl_context=tls, print=None, access_log=None)


if __name__ == "__main__":
    main(sys.argv[1], *map(Path, sys.argv[2:]))
