"""The API of rules, hosts, teams and configuration on a fresh database, without a socket between."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2

from api.app import Doors, create_app, resources, some_ports, utc_now
from api.auth import OneKey
from api.cursors import Cursors
from api.metrics import ApiMetrics
from streams.adapters.audit_samples import AuditSamples
from streams.adapters.config_audit import ConfigAudit
from streams.adapters.config_store import ConfigStore
from streams.adapters.host_lists import development_hosts, device_teams
from streams.adapters.idempotency import IdempotencyKeys
from streams.adapters.rule_store import RuleStore
from streams.adapters.transactions import Transactions
from tests.api.conformance import check_answer
from tests.integration.conftest import Database

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
    transactions, metrics = Transactions(database.pool), ApiMetrics()
    ports = some_ports(
        metrics=metrics,
        checks={},
        answers=IdempotencyKeys(transactions),
        rules=RuleStore(transactions),
        hosts=development_hosts(transactions),
        teams=device_teams(transactions),
        config=ConfigStore(transactions),
        config_audit=ConfigAudit(transactions),
        samples=AuditSamples(transactions),
        cursors=Cursors(lambda: (b"key of the cursors",), utc_now),
        now=utc_now,
    )
    app = create_app(resources(ports), Doors(authenticator=OneKey(None)), metrics)

    async def check(answer: httpx2.Response) -> None:
        await answer.aread()
        check_answer(app.table, answer)

    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    hooks: Any = {"response": [check]}
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost", event_hooks=hooks) as client:
        yield Asker(client)
