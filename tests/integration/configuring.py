"""The API of rules, hosts, teams and configuration on a fresh database, without a socket between."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2

from tests.api.conformance import check_answer
from tests.integration.conftest import Database
from tests.integration.whole_api import api_on

RULE = {"match_string": "link down", "prod_handling": "Page_only", "dev_handling": "Log_only"}


class Asker:
    """A client whose every answer is compared with the documentation."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self.client = client

    async def ask(self, method: str, path: str, status: int = 200, **request: Any) -> Any:
        """The body of an answer with this status: JSON where it is JSON, else text."""
        answer = await self.client.request(method, path, **request)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.headers.get("content-type", "").endswith(("/json", "+json")) else answer.text

    async def write(self, method: str, path: str, status: int = 200, **request: Any) -> Any:
        """A write under the ETag of what is there."""
        tag = (await self.client.get(path.partition("?")[0])).headers["etag"]
        return await self.ask(method, path, status, headers={"If-Match": tag}, **request)


@asynccontextmanager
async def asking(database: Database) -> AsyncIterator[Asker]:
    app, _ = api_on(database)

    async def check(answer: httpx2.Response) -> None:
        await answer.aread()
        check_answer(app.table, answer)

    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    hooks: Any = {"response": [check]}
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost", event_hooks=hooks) as client:
        yield Asker(client)
