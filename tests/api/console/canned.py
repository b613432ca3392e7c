"""An API that answers what it is told to, for pages whose stores only PostgreSQL has; and a console over it."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from api.app import Doors, create_app
from api.console.app import WithConsole, create_console
from api.console.sessions import Sessions, session_keys
from api.hosts import Hosts
from api.key_ring import KeyRing
from api.metrics import ApiMetrics
from api.problems import JsonResponse
from api.routes import ApiRoute, Parameter
from schemas.scopes import Scope
from schemas.secrets import Secret
from streams.core.api_keys import WantedKey
from streams.core.authors import Author
from tests.api.console.desk import SITE, Desk
from tests.api.window import NOW
from tests.fakes_keys import PEPPER, MemoryEndedSessions, MemoryKeys

KEY = "k3y-of-the-test"


class Canned:
    """Implements Resource: GET on each path answers its body, whatever is asked beside the known parameters."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self._answers = answers

    def routes(self) -> tuple[ApiRoute, ...]:
        names = ("limit", "cursor", "state", "hostname", "q", "disposition", "record")
        query = tuple(Parameter(name, "x") for name in names)
        return tuple(
            ApiRoute(method="GET", path=path, endpoint=self.get, scope=Scope.EVENTS_READ, summary="x", query=query)
            for path in self._answers
        )

    async def get(self, request: Request) -> Response:
        return JsonResponse(self._answers[request.state.found.place.path])


@dataclass
class World:
    """A console with a clock that the test moves; what it answers stands in `answers`."""

    answers: Mapping[str, Any] = field(default_factory=lambda: {"/api/v2/audit-logs": {"items": [], "next": None}})
    now: dt.datetime = NOW
    secret: bytes = b"secret"
    single: str | None = KEY
    pepper: Secret | None = PEPPER
    hosts: tuple[str, ...] = ()
    keys: MemoryKeys = field(default_factory=MemoryKeys)
    ended: MemoryEndedSessions = field(default_factory=MemoryEndedSessions)
    metrics: ApiMetrics = field(default_factory=ApiMetrics)

    def desk(self, base_url: str = SITE) -> Desk:
        metrics = self.metrics

        def single() -> tuple[Secret, ...]:
            return (Secret(self.single),) if self.single else ()

        def peppers() -> tuple[Secret, ...]:
            return (self.pepper,) if self.pepper else ()

        ring = KeyRing(
            self.keys, metrics, single=single, peppers=peppers, now=lambda: self.now, clock=self._clock
        )  # fmt: skip
        api = create_app([Canned(self.answers)], Doors(authenticator=ring), metrics)
        sessions = Sessions(ring, self.ended, session_keys(lambda: (self.secret,), single), lambda: self.now)
        console = create_console(api.table, sessions, Hosts(self.hosts), metrics, asyncio.Event())
        return Desk(WithConsole(api, console), base_url)

    async def key(self, *scopes: Scope) -> str:
        wanted = WantedKey("tester", frozenset(scopes or Scope), "Tess")
        return (await self.keys.create(wanted, Author("tests"))).text.reveal()

    def _clock(self) -> float:
        return self.now.timestamp()
