"""An API of either version at work on one database and one Kafka: each goes on with what the other wrote."""

from __future__ import annotations

import asyncio
import http.client
import json
from dataclasses import dataclass
from typing import Any

RULE = {
    "match_type": "contains", "match_string": "nobody says this", "prod_handling": "Log_only",
    "dev_handling": "Log_only", "team_assignment": "netops",
}  # fmt: skip
EVENT = {"timestamp": "2026-03-01T12:00:00Z", "hostname": "by-http", "message": "heartbeat by HTTP"}


@dataclass(frozen=True)
class Api:
    """One that answers, and a key that opens it."""

    port: int
    key: str

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any, str | None]:
        """Status, document and ETag."""
        return await asyncio.to_thread(self._ask, method, path, body, headers)

    def _ask(self, method: str, path: str, body: Any, headers: dict[str, str]) -> tuple[int, Any, str | None]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        given = {"X-API-KEY": self.key, "Content-Type": "application/json"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, None if body is None else json.dumps(body).encode(), given)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null"), answer.getheader("ETag")
        finally:
            connection.close()

    async def post_event(self) -> None:
        status, answer, _ = await self.ask("POST", "/api/v2/events", EVENT)
        assert status == 202, answer

    async def version(self) -> str:
        status, answer, _ = await self.ask("GET", "/api/v2/version")
        assert status == 200, answer
        return str(answer["mutt_version"])


async def each_goes_on_with_what_the_other_wrote(first: Api, second: Api) -> None:
    """A rule made at one, changed at the other, and looked at and retired at the first; and events at both."""
    status, made, tag = await first.ask("POST", "/api/v2/rules", RULE)
    assert status == 201, made
    assert tag is not None
    path = f"/api/v2/rules/{made['id']}"
    status, changed, newer = await second.ask("PATCH", path, {"priority": 7, "reason": "upgrade"}, If_Match=tag)
    assert (status, changed.get("priority")) == (200, 7), changed
    status, stale, _ = await first.ask("PATCH", path, {"priority": 8}, If_Match=tag)
    assert status == 412, stale
    status, seen, same = await first.ask("GET", path)
    assert (status, seen["priority"], same) == (200, 7, newer)
    status, gone, _ = await first.ask("DELETE", path, If_Match=str(newer))
    assert status in (200, 204), gone
    for api in (first, second):
        await api.post_event()
        status, audits, _ = await api.ask("GET", "/api/v2/config-audit?table=alert_rules&fields=operation&limit=3")
        assert (status, [row["operation"] for row in audits["items"]]) == (200, ["DELETE", "UPDATE", "CREATE"]), audits
