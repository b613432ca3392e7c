"""/api/v2/teams: which team a host belongs to, where its rule names none; and the same in v1's shape."""

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
from api.rule_bodies import TeamName
from api.rules_v1 import Message
from schemas.events import HOSTNAME_LIMIT
from schemas.rule_fields import TEAM_LIMIT
from schemas.scopes import Scope
from streams.adapters.host_lists import HostList
from streams.core.host_lists import HostQuery, ListedHost

V1 = "/api/v1/teams"
V2 = "/api/v2/teams"
ONE = "/{hostname}"


class TeamChange(Struct, forbid_unknown_fields=True, kw_only=True):
    team_assignment: TeamName
    reason: Reason | None = None


class NewTeam(TeamChange, forbid_unknown_fields=True, kw_only=True):
    hostname: Hostname


class Team(Struct, frozen=True):
    hostname: str
    team_assignment: str
    version: int
    updated_at: dt.datetime


class TeamV1(Struct, frozen=True):
    hostname: str
    team_assignment: str


class TeamsV1Answer(Struct, frozen=True):
    teams: list[TeamV1]


TEAMS = Listing(
    item=Team,
    sorts={"hostname": "hostname", "team_assignment": "team_assignment", "updated_at": "updated_at"},
    default="hostname",
    filters=(
        Parameter("q", "Part of the host's name, in any case.", HostText, example="core"),
        Parameter("team_assignment", "Hosts of this team.", TeamName),
    ),
)
EXAMPLE = {"hostname": "core-1", "team_assignment": "netops"}


class Teams:
    def __init__(self, teams: HostList, cursors: Cursors, metrics: ApiMetrics) -> None:
        self._teams = teams
        self._cursors = cursors
        self._metrics = metrics

    def routes(self) -> tuple[ApiRoute, ...]:
        return (*self._routes_v1(), *self._routes_v2())

    def _routes_v1(self) -> tuple[ApiRoute, ...]:
        read, write = Scope.RULES_READ, Scope.RULES_WRITE
        return (
            ApiRoute(method="GET", path=V1, endpoint=self.list_v1, scope=read, summary="The team of every host",
                     answer=TeamsV1Answer, successor=V2),
            ApiRoute(method="POST", path=V1, endpoint=self.add_v1, scope=write, summary="A host gets a team",
                     body=NewTeam, example=EXAMPLE, answer=Message, status=201, errors=(409,), successor=V2),
            ApiRoute(method="PUT", path=V1 + ONE, endpoint=self.change_v1, scope=write,
                     summary="A host gets another team", body=TeamChange, example={"team_assignment": "voice"},
                     answer=Message, errors=(404,), successor=V2 + ONE),
            ApiRoute(method="DELETE", path=V1 + ONE, endpoint=self.remove_v1, scope=write,
                     summary="A host without a team", answer=Message, errors=(400, 404, 422), successor=V2 + ONE),
        )  # fmt: skip

    def _routes_v2(self) -> tuple[ApiRoute, ...]:
        read, write = Scope.RULES_READ, Scope.RULES_WRITE
        changes = (404, 412, 428)
        return (
            ApiRoute(method="GET", path=V2, endpoint=self.list, scope=read, summary="Hosts and their teams, by host",
                     query=TEAMS.query, answer=TEAMS.answer, errors=(400,)),
            ApiRoute(method="POST", path=V2, endpoint=self.add, scope=write, summary="A host gets a team",
                     body=NewTeam, example=EXAMPLE, answer=Team, status=201, errors=(409,)),
            ApiRoute(method="GET", path=V2 + ONE, endpoint=self.show, scope=read, summary="The team of one host",
                     answer=Team, headers=(IF_NONE_MATCH,), errors=(304, 404)),
            ApiRoute(method="PUT", path=V2 + ONE, endpoint=self.change, scope=write,
                     summary="A host gets another team", body=TeamChange, example={"team_assignment": "voice"},
                     answer=Team, headers=(IF_MATCH,), errors=changes),
            ApiRoute(method="DELETE", path=V2 + ONE, endpoint=self.remove, scope=write, query=(WHY,),
                     summary="A host without a team", headers=(IF_MATCH,), status=204, errors=changes),
        )  # fmt: skip

    async def list_v1(self, request: Request) -> Response:
        with self._metrics.timed("teams"):
            every = await self._teams.every()
        return JsonResponse(TeamsV1Answer([TeamV1(host.hostname, host.team_assignment or "") for host in every]))

    async def add_v1(self, request: Request) -> Response:
        data = await _given_v1(request, "hostname", "team_assignment")
        await self._add(request, bodies.typed(data, NewTeam, ignored=("id",)))
        return JsonResponse(Message("Team mapping added successfully"), 201)

    async def change_v1(self, request: Request) -> Response:
        data = await _given_v1(request, "team_assignment")
        change = bodies.typed(data, TeamChange, ignored=("id",))
        await self._change(request, hostname_of(request), change, None)
        return JsonResponse(Message("Team mapping updated successfully"))

    async def remove_v1(self, request: Request) -> Response:
        reason = await reason_sent(request)
        with self._metrics.timed("team_change"):
            await self._teams.remove(author_of(request, reason), hostname_of(request), expected=None)
        return JsonResponse(Message("Team mapping deleted successfully"))

    async def list(self, request: Request) -> Response:
        reader = QueryReader(request.query_params)
        text, team = reader.text("q", longest=HOSTNAME_LIMIT), reader.text("team_assignment", longest=TEAM_LIMIT)
        asked = lists.asked(request, reader, TEAMS, self._cursors)
        with self._metrics.timed("teams"):
            query = HostQuery(text, team, asked.sort)
            page = await self._teams.page(query, after=asked.after, limit=asked.limit)
        return lists.answer(asked, map(_shown, page.items), page.next, self._cursors)

    async def add(self, request: Request) -> Response:
        host = await self._add(request, await bodies.read(request, NewTeam))
        return versioned.made(_shown(host), host.version, V2, host.hostname)

    async def show(self, request: Request) -> Response:
        with self._metrics.timed("teams"):
            host = await self._teams.get(hostname_of(request))
        return versioned.found(request, _shown(host), host.version)

    async def change(self, request: Request) -> Response:
        host = await looked_at(request, self._teams)
        change = await bodies.read(request, TeamChange)
        changed = await self._change(request, host.hostname, change, host.version)
        return versioned.now(_shown(changed), changed.version)

    async def remove(self, request: Request) -> Response:
        reason = reason_asked(request)
        host = await looked_at(request, self._teams)
        with self._metrics.timed("team_change"):
            await self._teams.remove(author_of(request, reason), host.hostname, expected=host.version)
        return Response(status_code=204)

    async def _add(self, request: Request, new: NewTeam) -> ListedHost:
        with self._metrics.timed("team_change"):
            return await self._teams.add(author_of(request, new.reason), new.hostname, new.team_assignment)

    async def _change(self, request: Request, hostname: str, change: TeamChange, expected: int | None) -> ListedHost:
        author = author_of(request, change.reason)
        with self._metrics.timed("team_change"):
            return await self._teams.change(author, hostname, change.team_assignment, expected=expected)


async def _given_v1(request: Request, *required: str) -> object:
    """Raises Problem (400) where something is missing."""
    data = bodies.parsed(await bodies.read_bytes(request))
    if isinstance(data, dict) and (missing := [name for name in required if not data.get(name)]):
        raise Problem(ProblemType.MALFORMED, f"Missing required fields: {missing}")
    return data


def _shown(host: ListedHost) -> Team:
    return Team(host.hostname, host.team_assignment or "", host.version, host.updated_at)
