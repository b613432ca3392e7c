"""Asks a running API over a socket."""

from __future__ import annotations

import http.client
import json
from typing import Any


def ask(
    port: int, method: str, path: str, key: str, body: Any = None, headers: dict[str, str] | None = None
) -> tuple[int, Any, dict[str, str]]:
    """Status, body and headers (small letters). Raises OSError or HTTPException when no whole answer comes."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        sent = {"X-API-KEY": key, "Content-Type": "application/json"} | (headers or {})
        connection.request(method, path, None if body is None else json.dumps(body), sent)
        answer = connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text else None, {n.lower(): v for n, v in answer.getheaders()}
    finally:
        connection.close()
