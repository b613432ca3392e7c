"""/api/v2/keys: API keys: list, make, rotate and revoke them. Their secrets are shown once, to who made them."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from api import bodies, lists
from api.authors import author_of
from api.cursors import Cursors
from api.gate import Now
from api.idempotency import ShownOnce
from api.lists import Listing
from api.problem_types import ProblemType
from api.problems import Fault, Invalid, JsonResponse, Problem
from api.queries import QueryReader, text_up_to
from api.reasons import Reason
from api.routes import ApiRoute, Parameter
from schemas.errors import KeyRefused, ScopesExceeded, TwoKeysLive
from schemas.scopes import Client, Scope
from streams.core.api_keys import ApiKey, Keys, KeyState, MadeKey, WantedKey

PATH = "/api/v2/keys"

ABSENT = "there is no such key"
NO_LIVE_KEY = "this client has no live key"
EXCEEDS = "a key cannot grant what yours does not have"

LONGEST_CLIENT = 64
ClientText = Annotated[str, text_up_to(LONGEST_CLIENT)]
ClientName = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]


class NewKey(Struct, forbid_unknown_fields=True):
    """A key that is to be made."""

    client: ClientName
    scopes: Annotated[list[Scope], Meta(min_length=1)]
    name: Annotated[str, Meta(max_length=100)] = ""
    expires_at: dt.datetime | None = None
    reason: Reason | None = None


class Rotation(Struct, forbid_unknown_fields=True):
    """A client whose key gets a successor; after `grace_seconds` the older one expires, without it when revoked."""

    client: ClientName
    grace_seconds: Annotated[int, Meta(ge=0, le=31_536_000)] | None = None
    reason: Reason | None = None


class Revocation(Struct, forbid_unknown_fields=True):
    reason: Reason | None = None


class Key(Struct, frozen=True, kw_only=True):
    """A key; nothing in it opens anything."""

    id: str
    client: str
    name: str
    scopes: list[Scope]
    state: KeyState
    created_at: dt.datetime
    expires_at: dt.datetime | None
    revoked_at: dt.datetime | None
    last_used_at: dt.datetime | None


class MadeKeyAnswer(Key, frozen=True, kw_only=True):
    """A key that was made. `key` is what the client sends; null where the answer is repeated: it is shown once."""

    key: str | None


KEYS = Listing(
    item=Key,
    sorts={"created_at": "created_at"},
    default="-created_at",
    filters=(Parameter("client", "Only keys of this client.", ClientText, example="grafana"),),
)


class ApiKeys:
    def __init__(self, keys: Keys, cursors: Cursors, now: Now) -> None:
        self._keys = keys
        self._cursors = cursors
        self._now = now

    def routes(self) -> tuple[ApiRoute, ...]:
        make = {"client": "grafana", "scopes": ["audit:read", "events:read"], "name": "dashboards"}
        return (
            ApiRoute(
                method="GET",
                path=PATH,
                endpoint=self.list,
                scope=Scope.KEYS_ADMIN,
                summary="API keys",
                query=KEYS.query,
                answer=KEYS.answer,
                errors=(400,),
            ),
            ApiRoute(
                method="POST",
                path=PATH,
                endpoint=self.create,
                scope=Scope.KEYS_ADMIN,
                summary="A new key",
                description="Grants at most what the caller's own key has; a client has at most two live keys.",
                body=NewKey,
                example=make,
                answer=MadeKeyAnswer,
                status=201,
                errors=(403, 409),
            ),
            ApiRoute(
                method="POST",
                path=PATH + "/rotate",
                endpoint=self.rotate,
                scope=Scope.KEYS_ADMIN,
                summary="A second key like the newest of a client",
                body=Rotation,
                example={"client": "grafana", "grace_seconds": 86400},
                answer=MadeKeyAnswer,
                status=201,
                errors=(403, 404, 409),
            ),
            ApiRoute(
                method="POST",
                path=PATH + "/{id}/revoke",
                endpoint=self.revoke,
                scope=Scope.KEYS_ADMIN,
                summary="The end of a key, within a second and for good",
                body=Revocation,
                example={"reason": "lost"},
                answer=Key,
                errors=(404,),
            ),
        )

    async def list(self, request: Request) -> Response:
        reader = QueryReader(request.query_params)
        client = reader.text("client", longest=LONGEST_CLIENT)
        asked = lists.asked(request, reader, KEYS, self._cursors)
        page = await self._keys.keys(client=client, sort=asked.sort, after=asked.after, limit=asked.limit)
        return lists.answer(asked, map(self._shown, page.items), page.next, self._cursors)

    async def create(self, request: Request) -> Response:
        new = await bodies.read(request, NewKey)
        expires = new.expires_at
        if expires is not None and expires.tzinfo is None:
            raise Invalid([Fault("must name its time zone", pointer="/expires_at")])
        wanted = WantedKey(new.client, frozenset(new.scopes), new.name, expires)
        if not wanted.scopes <= _scopes_of(request):
            raise Problem(ProblemType.FORBIDDEN, EXCEEDS)
        try:
            made = await self._keys.create(wanted, author_of(request, new.reason))
        except KeyRefused as refused:
            raise _problem(refused) from refused
        return self._made(made)

    async def rotate(self, request: Request) -> Response:
        asked = await bodies.read(request, Rotation)
        grace = None if asked.grace_seconds is None else dt.timedelta(seconds=asked.grace_seconds)
        author = author_of(request, asked.reason)
        try:
            made = await self._keys.rotate(asked.client, author, grace=grace, within=_scopes_of(request))
        except KeyRefused as refused:
            raise _problem(refused) from refused
        if made is None:
            raise Problem(ProblemType.NOT_FOUND, NO_LIVE_KEY)
        return self._made(made)

    async def revoke(self, request: Request) -> Response:
        asked = await bodies.read(request, Revocation)
        key = await self._keys.revoke(request.path_params["id"], author_of(request, asked.reason))
        if key is None:
            raise Problem(ProblemType.NOT_FOUND, ABSENT)
        return JsonResponse(self._shown(key))

    def _made(self, made: MadeKey) -> Response:
        facts = _facts(made.key, self._now())
        return ShownOnce(MadeKeyAnswer(key=made.text.reveal(), **facts), MadeKeyAnswer(key=None, **facts), status=201)

    def _shown(self, key: ApiKey) -> Key:
        return Key(**_facts(key, self._now()))


def _facts(key: ApiKey, now: dt.datetime) -> dict[str, Any]:
    return {
        "id": key.id,
        "client": key.client,
        "name": key.name,
        "scopes": sorted(key.scopes),
        "state": key.state(now),
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "last_used_at": key.last_used_at,
    }


def _scopes_of(request: Request) -> frozenset[Scope]:
    client: Client = request.state.client
    return client.scopes


def _problem(refused: KeyRefused) -> Problem:
    if isinstance(refused, TwoKeysLive):
        return Problem(ProblemType.CONFLICT, str(refused))
    if isinstance(refused, ScopesExceeded):
        return Problem(ProblemType.FORBIDDEN, EXCEEDS)
    return Invalid([Fault(problem) for problem in refused.problems])
