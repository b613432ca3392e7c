"""The person at the desk of a run: changes rules and configuration through the API, and replays dead letters."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count
from typing import Any

import aiohttp

from schemas.secret_names import API_KEY
from tests.chaos.stack import ChaosStack
from tests.programs import run

RULE = "/api/v2/rules/{}"
KEY = "/api/v2/config/{}"
AGAIN_S = 0.2
FAULTS = (aiohttp.ClientError, TimeoutError, OSError)


class Operator:
    """Every write is asked for until it is answered, under one Idempotency-Key."""

    def __init__(self, stack: ChaosStack) -> None:
        self._stack = stack
        self._headers = {"X-API-Key": stack.layout.secret(API_KEY), "If-Match": "*"}
        self.asking = 0
        """Requests without an answer yet."""
        self.changed = 0
        """Writes that were answered."""
        self._turns = count()

    async def change_rule(self, identity: int = 1) -> int:
        """Returns its new version."""
        turn = next(self._turns)
        handling = ("Page_and_ticket", "Page_only", "Ticket_only")[turn % 3]
        answer = await self.write("PATCH", RULE.format(identity), {"prod_handling": handling, "reason": f"turn {turn}"})
        return int(answer["version"])

    async def change_key(self) -> None:
        """A key that decides on what is audited."""
        turn = next(self._turns)
        await self.write("PUT", KEY.format("audit_unhandled_events"), {"value": turn % 2 == 0})

    @asynccontextmanager
    async def busy(self) -> AsyncIterator[None]:
        """Changes one key after another until the end of the block."""
        task = asyncio.create_task(self._go_on())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def write(self, method: str, path: str, body: Any) -> Any:
        headers = self._headers | {"Idempotency-Key": str(uuid.uuid4())}
        url = f"http://127.0.0.1:{self._stack.links['api'].port}{path}"
        while True:
            self.asking += 1
            try:
                answer = await _ask(method, url, body, headers)
            finally:
                self.asking -= 1
            if answer is not None:
                self.changed += 1
                return answer
            await asyncio.sleep(AGAIN_S)

    async def _go_on(self) -> None:
        for value in count(1000):
            await self.write("PUT", KEY.format("moog_rate_limit"), {"value": 1000 + value % 1000})

    def replay(self, reason: str) -> dict[str, Any]:
        """`mutt dlq replay`; AssertionError with what it said when it did not end well."""
        arguments = ("dlq", "replay", "--reason", reason, "--yes", "--json")
        done = run("mutt", *arguments, environment=self._stack.environment(), within=120)
        assert done.returncode == 0, done.stderr.decode()
        outcome: dict[str, Any] = json.loads(done.stdout)
        return outcome


async def _ask(method: str, url: str, body: Any, headers: dict[str, str]) -> Any:
    """The body of a good answer; None for no answer, or one that says to try again. AssertionError for any other."""
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(15)) as session,
            session.request(method, url, json=body, headers=headers) as answer,
        ):
            text = await answer.text()
    except FAULTS:
        return None
    if answer.status in (409, 429, 503):
        return None
    assert answer.status < 300, f"{method} {url}: {answer.status} {text}"
    return json.loads(text)
