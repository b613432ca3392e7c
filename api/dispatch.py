"""From the table to an endpoint: methods, HEAD and OPTIONS, and query parameters that no route of v2 knows."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from api.problem_types import ProblemType
from api.problems import Fault, Invalid, Problem
from api.routes import ApiRoute, Found
from api.versions import V2, VERSION_QUERY


async def dispatch(request: Request) -> Response:
    """Answers by the route that the envelope found. Raises Problem: 404, 405, 422."""
    scope = request.scope
    found: Found | None = scope["state"]["found"]
    if found is None:
        raise Problem(ProblemType.NOT_FOUND, "there is nothing at this path")
    route: ApiRoute | None = scope["state"]["route"]
    if route is None:
        return _without_route(scope["method"], found)
    scope["path_params"] = dict(found.params)
    check_query(route, request)
    return await route.endpoint(request)


def check_query(route: ApiRoute, request: Request) -> None:
    """A filter that is misspelt must not answer everything. v1 ignored what it did not know, and still does."""
    if route.version is not V2:
        return
    known = {parameter.name for parameter in route.query}
    unknown = [name for name in dict.fromkeys(request.query_params) if name not in known and name != VERSION_QUERY]
    if unknown:
        raise Invalid([Fault("is no parameter known here", parameter=name) for name in unknown])


def _without_route(method: str, found: Found) -> Response:
    allow = {"Allow": found.place.allowed}
    if method == "OPTIONS":
        return Response(status_code=204, headers=allow)
    raise Problem(ProblemType.METHOD, "this path does not take this method", headers=allow)
