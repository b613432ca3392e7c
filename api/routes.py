"""The route table: what each route takes, answers and asks for; scopes, versions, metrics and OpenAPI come from it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote

from starlette.convertors import Convertor, IntegerConvertor
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import compile_path

from api.versions import FOR_GOOD, ApiVersion, Lifetime, RawHeaders, raw_headers_of, version_of
from schemas.scopes import Scope

Endpoint = Callable[[Request], Awaitable[Response]]

JSON = "application/json"
NDJSON = "application/x-ndjson"
MOST_BODY = 1024 * 1024
"""Bytes of a request's body."""

LARGEST_ID = 2**63 - 1

PUBLIC = frozenset(
    {
        "/health",
        "/ready",
        "/metrics",
        "/api/v1/version",
        "/api/v2/version",
        "/api/openapi.json",
        "/api/docs",
        "/problems/{slug}",
    }
)
"""The paths of the API that need no key; every other route names its scope."""

REPORT = "/ui/csp-report"
"""Where browsers tell what the console's policy stopped."""

OPEN_PAGES = frozenset({"/ui/sign-in", "/ui/sign-out", "/ui/static/{name}", REPORT})
"""What of the console is there for whom is not signed in."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter or header. `type` is what msgspec describes: `int`, `Annotated[int, Meta(ge=1)]`, an enum."""

    name: str
    meaning: str
    type: Any = str
    required: bool = False
    example: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRoute:
    """One method on one path. Raises ValueError when what it says does not fit together."""

    method: str
    path: str
    """As Starlette writes it: `/api/v2/rules/{id:int}`."""
    endpoint: Endpoint
    scope: Scope | None
    """None only for paths in PUBLIC."""
    summary: str
    description: str = ""
    query: tuple[Parameter, ...] = ()
    headers: tuple[Parameter, ...] = ()
    body: Any = None
    """The type of the body, a msgspec Struct; None where there is none."""
    accepts: tuple[str, ...] = (JSON,)
    """Media types of the body."""
    unknown_members: bool = False
    """Whether the body may have members that its type does not name."""
    example: Any = None
    """A body that works, as JSON would give it."""
    answer: Any = None
    """The type of the answer, what msgspec can describe; None for an answer without a body, or that is no JSON."""
    gives: tuple[str, ...] = (JSON,)
    """Media types of the answer, the usual one first."""
    status: int = 200
    errors: tuple[int, ...] = ()
    """Statuses beside those that every route of its kind has (`statuses_of` in api/openapi.py); 304 too."""
    successor: str | None = None
    """The path that takes its place, with the same names in braces."""
    lifetime: Lifetime = FOR_GOOD
    """Set by itself to its version's, where none is given."""
    version: ApiVersion = field(init=False)
    said: RawHeaders = field(init=False)
    """What each of its answers says of its version."""

    def __post_init__(self) -> None:
        if not isinstance(self.scope, Scope) and self.path not in PUBLIC | OPEN_PAGES:
            raise ValueError(f"{self.method} {self.path} declares no scope and is not in PUBLIC")
        if self.method not in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            raise ValueError(
                f"{self.path}: {self.method} is no method a route may have; HEAD and OPTIONS come by themselves"
            )
        object.__setattr__(self, "version", version_of(self.path))
        if self.lifetime is FOR_GOOD:
            object.__setattr__(self, "lifetime", self.version.lifetime)
        if self.lifetime.deprecated is not None and self.successor is None:
            raise ValueError(f"{self.method} {self.path} is deprecated, and names no successor")
        object.__setattr__(self, "said", raw_headers_of(self.version, self.lifetime))


class Resource(Protocol):
    """One subject of the API: takes its ports when it is made."""

    def routes(self) -> tuple[ApiRoute, ...]: ...


@dataclass(frozen=True, slots=True)
class Place:
    """All routes of one path."""

    path: str
    """The template as metrics and OpenAPI write it: `/api/v2/rules/{id}`."""
    methods: Mapping[str, ApiRoute]
    convertors: Mapping[str, Convertor[Any]] = field(default_factory=dict)

    def read(self, texts: Mapping[str, str]) -> dict[str, Any] | None:
        """The values of the names in braces; None where one is a number that no table has room for."""
        numbers = [text for name, text in texts.items() if isinstance(self.convertors[name], IntegerConvertor)]
        if any(len(text) > len(str(LARGEST_ID)) or int(text) > LARGEST_ID for text in numbers):
            return None
        return {name: self.convertors[name].convert(text) for name, text in texts.items()}

    def route(self, method: str) -> ApiRoute | None:
        """HEAD is GET without a body."""
        return self.methods.get("GET" if method == "HEAD" else method)

    @property
    def any_route(self) -> ApiRoute:
        return next(iter(self.methods.values()))

    @property
    def allowed(self) -> str:
        """The value of `Allow`."""
        return ", ".join(sorted({*self.methods, "OPTIONS", *(["HEAD"] if "GET" in self.methods else [])}))


@dataclass(frozen=True, slots=True)
class Found:
    """The place a request's path leads to, and what stands there for the names in braces."""

    place: Place
    params: Mapping[str, Any]

    def successor(self, route: ApiRoute) -> str | None:
        """The path that takes the place of the one asked for, its names filled in."""
        if route.successor is None:
            return None
        return route.successor.format_map({name: quote(str(value), safe="") for name, value in self.params.items()})


class Table:
    """All routes. Paths without braces come first, then templates in their order. Raises ValueError for doubles."""

    def __init__(self, routes: Iterable[ApiRoute]) -> None:
        self.routes = tuple(routes)
        by_path: dict[str, dict[str, ApiRoute]] = {}
        for route in self.routes:
            methods = by_path.setdefault(route.path, {})
            if route.method in methods:
                raise ValueError(f"{route.method} {route.path} stands there twice")
            methods[route.method] = route
        compiled = [(compile_path(path), methods) for path, methods in by_path.items()]
        places = [(regex, Place(path, methods, convertors)) for (regex, path, convertors), methods in compiled]
        self._plain = {place.path: Found(place, {}) for _, place in places if not place.convertors}
        self._templates = [(regex, place) for regex, place in places if place.convertors]
        self.places = tuple(place for _, place in places)

    def find(self, path: str) -> Found | None:
        """Where a path leads, whatever the method."""
        plain = self._plain.get(path)
        if plain is not None:
            return plain
        for regex, place in self._templates:
            if match := regex.match(path):
                params = place.read(match.groupdict())
                return Found(place, params) if params is not None else None
        return None


def flatten(resources: Iterable[Resource]) -> tuple[ApiRoute, ...]:
    return tuple(route for resource in resources for route in resource.routes())
