"""A resource as v2 has them, from memory: every rule of the house once, to read before writing one."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from api import bodies, preconditions
from api.problem_types import ProblemType
from api.problems import JsonResponse, Problem
from api.queries import QueryReader
from api.routes import ApiRoute, Parameter
from schemas.scopes import Scope

TOYS = "/api/v2/toys"


class NewToy(Struct):
    """What a client sends."""

    name: Annotated[str, Meta(min_length=1, max_length=20)]
    wheels: Annotated[int, Meta(ge=0, le=8)] = 4


class Toy(Struct, frozen=True):
    """What a client gets."""

    id: int
    version: int
    name: str
    wheels: int


class ToyPage(Struct, frozen=True):
    items: list[Toy]
    next: str | None


class Toys:
    """Takes its ports when it is made: here, a dictionary."""

    def __init__(self, shelf: dict[int, Toy] | None = None) -> None:
        self.shelf = {} if shelf is None else shelf

    def routes(self) -> tuple[ApiRoute, ...]:
        limit = Parameter("limit", "Toys on a page.", Annotated[int, Meta(ge=1, le=1000)], example=100)
        example = {"name": "car", "wheels": 4}
        return (
            ApiRoute(
                method="GET",
                path=TOYS,
                endpoint=self.list,
                scope=Scope.RULES_READ,
                summary="All toys",
                query=(limit,),
                answer=ToyPage,
            ),
            ApiRoute(
                method="POST",
                path=TOYS,
                endpoint=self.create,
                scope=Scope.RULES_WRITE,
                summary="One more toy",
                body=NewToy,
                example=example,
                answer=Toy,
                status=201,
                errors=(409,),
            ),
            ApiRoute(
                method="GET",
                path=TOYS + "/{id:int}",
                endpoint=self.show,
                scope=Scope.RULES_READ,
                summary="A toy",
                headers=(preconditions.IF_NONE_MATCH,),
                answer=Toy,
                errors=(304,),
            ),
            ApiRoute(
                method="PUT",
                path=TOYS + "/{id:int}",
                endpoint=self.replace,
                scope=Scope.RULES_WRITE,
                summary="Another toy in its place",
                headers=(preconditions.IF_MATCH,),
                body=NewToy,
                example=example,
                answer=Toy,
                errors=(412, 428),
            ),
        )

    async def list(self, request: Request) -> Response:
        reader = QueryReader(request.query_params)
        limit = reader.whole("limit", 100, high=1000)
        reader.finish()
        return JsonResponse(ToyPage(list(self.shelf.values())[:limit], None))

    async def create(self, request: Request) -> Response:
        new = await bodies.read(request, NewToy)
        if any(toy.name == new.name for toy in self.shelf.values()):
            raise Problem(ProblemType.CONFLICT, "there is one of that name")
        return self._put(len(self.shelf) + 1, 1, new, status=201)

    async def show(self, request: Request) -> Response:
        toy = self._toy(request)
        headers = {"ETag": preconditions.etag(toy.version)}
        return (
            Response(status_code=304, headers=headers) if preconditions.unchanged(request, toy.version) else _shown(toy)
        )

    async def replace(self, request: Request) -> Response:
        toy = self._toy(request)
        preconditions.required(request, toy.version)
        return self._put(toy.id, toy.version + 1, await bodies.read(request, NewToy))

    def _toy(self, request: Request) -> Toy:
        toy = self.shelf.get(request.path_params["id"])
        if toy is None:
            raise Problem(ProblemType.NOT_FOUND, "there is no such toy")
        return toy

    def _put(self, number: int, version: int, new: NewToy, *, status: int = 200) -> Response:
        self.shelf[number] = Toy(number, version, new.name, new.wheels)
        return _shown(self.shelf[number], status)


def _shown(toy: Toy, status: int = 200) -> Response:
    headers = {"ETag": preconditions.etag(toy.version)}
    if status == 201:
        headers["Location"] = f"{TOYS}/{toy.id}"
    return JsonResponse(toy, status, headers=headers)
