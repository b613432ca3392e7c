"""/api/v2/dev-hosts: hosts for development, on which rules have their own handling; and the same in v1's shape."""

from __future__ import annotations

import datetime as dt

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from api import bodies, lists, versioned
from api.authors import author_of
from api.cursors import Cursors
from api.host_lists import Hostname, HostText, hostname_of, looked_at
from api.lists import Listing
from api.metrics import ApiMetrics
from api.preconditions import IF_MATCH, IF_NONE_MATCH
from api.problem_types import ProblemType
from api.problems import JsonResponse, Problem
from api.queries import QueryReader
from api.reasons import WHY, Reason, reason_asked, reason_sent
from api.routes import ApiRoute, Parameter
from api.rules_v1 import Message
from schemas.events import HOSTNAME_LIMIT
from schemas.scopes import Scope
from streams.adapters.host_lists import HostList
from streams.core.host_lists import HostQuery, ListedHost

V1 = "/api/v1/dev-hosts"
V2 = "/api/v2/dev-hosts"


class NewDevHost(Struct, forbid_unknown_fields=True):
    hostname: Hostname
    reason: Reason | None = None


class DevHost(Struct, frozen=True):
    hostname: str
    version: int
    updated_at: dt.datetime


class DevHostV1(Struct, frozen=True):
    hostname: str


class DevHostsV1Answer(Struct, frozen=True):
    hosts: list[DevHostV1]


HOSTS = Listing(
    item=DevHost,
    sorts={"hostname": "hostname", "updated_at": "updated_at"},
    default="hostname",
    filters=(Parameter("q", "Part of the name, in any case.", HostText, example="lab"),),
)
EXAMPLE = {"hostname": "lab-1"}


class DevHosts:
    def __init__(self, hosts: HostList, cursors: Cursors, metrics: ApiMetrics) -> None:
        self._hosts = hosts
        self._cursors = cursors
        self._metrics = metrics

    def routes(self) -> tuple[ApiRoute, ...]:
        read, write = Scope.RULES_READ, Scope.RULES_WRITE
        one = "/{hostname}"
        return (
            ApiRoute(method="GET", path=V1, endpoint=self.list_v1, scope=read, summary="All development hosts",
                     answer=DevHostsV1Answer, successor=V2),
            ApiRoute(method="POST", path=V1, endpoint=self.add_v1, scope=write, summary="A development host more",
                     body=NewDevHost, example=EXAMPLE, answer=Message, status=201, errors=(409,), successor=V2),
            ApiRoute(method="DELETE", path=V1 + one, endpoint=self.remove_v1, scope=write,
                     summary="A development host less", answer=Message, errors=(400, 404, 422), successor=V2 + one),
            ApiRoute(method="GET", path=V2, endpoint=self.list, scope=read, summary="Development hosts, by name",
                     query=HOSTS.query, answer=HOSTS.answer, errors=(400,)),
            ApiRoute(method="POST", path=V2, endpoint=self.add, scope=write, summary="A development host more",
                     body=NewDevHost, example=EXAMPLE, answer=DevHost, status=201, errors=(409,)),
            ApiRoute(method="GET", path=V2 + one, endpoint=self.show, scope=read, summary="One development host",
                     answer=DevHost, headers=(IF_NONE_MATCH,), errors=(304, 404)),
            ApiRoute(method="DELETE", path=V2 + one, endpoint=self.remove, scope=write,
                     summary="A development host less", query=(WHY,), headers=(IF_MATCH,), status=204,
                     errors=(404, 412, 428)),
        )  # fmt: skip

    async def list_v1(self, request: Request) -> Response:
        with self._metrics.timed("dev_hosts"):
            every = await self._hosts.every()
        return JsonResponse(DevHostsV1Answer([DevHostV1(host.hostname) for host in every]))

    async def add_v1(self, request: Request) -> Response:
        data = bodies.parsed(await bodies.read_bytes(request))
        if isinstance(data, dict) and not data.get("hostname"):
            raise Problem(ProblemType.MALFORMED, "hostname is required")
        await self._add(request, bodies.typed(data, NewDevHost, ignored=("id",)))
        return JsonResponse(Message("Dev host added successfully"), 201)

    async def remove_v1(self, request: Request) -> Response:
        reason = await reason_sent(request)
        with self._metrics.timed("dev_host_change"):
            await self._hosts.remove(author_of(request, reason), hostname_of(request), expected=None)
        return JsonResponse(Message("Dev host deleted successfully"))

    async def list(self, request: Request) -> Response:
        reader = QueryReader(request.query_params)
        text = reader.text("q", longest=HOSTNAME_LIMIT)
        asked = lists.asked(request, reader, HOSTS, self._cursors)
        with self._metrics.timed("dev_hosts"):
            page = await self._hosts.page(HostQuery(text, sort=asked.sort), after=asked.after, limit=asked.limit)
        return lists.answer(asked, map(_shown, page.items), page.next, self._cursors)

    async def add(self, request: Request) -> Response:
        host = await self._add(request, await bodies.read(request, NewDevHost))
        return versioned.made(_shown(host), host.version, V2, host.hostname)

    async def show(self, request: Request) -> Response:
        with self._metrics.timed("dev_hosts"):
            host = await self._hosts.get(hostname_of(request))
        return versioned.found(request, _shown(host), host.version)

    async def remove(self, request: Request) -> Response:
        reason = reason_asked(request)
        host = await looked_at(request, self._hosts)
        with self._metrics.timed("dev_host_change"):
            await self._hosts.remove(author_of(request, reason), host.hostname, expected=host.version)
        return Response(status_code=204)

    async def _add(self, request: Request, new: NewDevHost) -> ListedHost:
        with self._metrics.timed("dev_host_change"):
            return await self._hosts.add(author_of(request, new.reason), new.hostname)


def _shown(host: ListedHost) -> DevHost:
    return DevHost(host.hostname, host.version, host.updated_at)
