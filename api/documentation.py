"""GET /api/openapi.json, /api/docs and /problems/{slug}: what the API says of itself, to programs and to people."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from functools import cached_property
from html import escape
from typing import Any

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from api.openapi import document, subject
from api.problem_types import BY_SLUG, ProblemType
from api.problems import JsonResponse, Problem
from api.routes import JSON, ApiRoute, Place, Table
from schemas.versions import API_CURRENT

HTML = "text/html; charset=utf-8"

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
h2{border-bottom:1px solid}summary{cursor:pointer;padding:.2rem 0}details{margin:.2rem 0}
code,pre{font:14px/1.4 ui-monospace,monospace}pre{overflow:auto;padding:.5rem;border:1px solid}
table{border-collapse:collapse}td,th{text-align:left;vertical-align:top;padding:.2rem .8rem .2rem 0}
.old{text-decoration:line-through}
"""
_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_DIGEST}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page has no script and loads nothing."""


class ProblemKind(Struct, frozen=True):
    """What stands behind the `type` of a problem."""

    type: str
    status: int
    title: str
    remedy: str


class Documentation:
    """Of these routes and its own."""

    def __init__(self, routes: Iterable[ApiRoute]) -> None:
        self.table = Table((*routes, *self.routes()))

    @cached_property
    def document(self) -> bytes:
        return msgspec.json.encode(document(self.table))

    @cached_property
    def _page(self) -> str:
        return page(self.table)

    def routes(self) -> tuple[ApiRoute, ...]:
        return (
            ApiRoute(
                method="GET",
                path="/api/openapi.json",
                endpoint=self.openapi,
                scope=None,
                summary="This API as OpenAPI 3.1",
                answer=dict[str, Any],
            ),
            ApiRoute(
                method="GET",
                path="/api/docs",
                endpoint=self.docs,
                scope=None,
                summary="This API as a page",
                gives=(HTML,),
            ),
            ApiRoute(
                method="GET",
                path="/problems/{slug}",
                endpoint=self.problem,
                scope=None,
                summary="What a type of problem means",
                answer=ProblemKind,
            ),
        )

    async def openapi(self, _: Request) -> Response:
        return Response(self.document, media_type=JSON)

    async def docs(self, _: Request) -> Response:
        return HTMLResponse(self._page, headers={"Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer"})

    async def problem(self, request: Request) -> Response:
        kind = BY_SLUG.get(request.path_params["slug"])
        if kind is None:
            raise Problem(ProblemType.NOT_FOUND, "there is no such type of problem")
        return JsonResponse(ProblemKind(kind.uri, kind.status, kind.title, kind.remedy))


def page(table: Table) -> str:
    """Everything in the table, by subject. Every text goes through `escape`."""
    subjects: dict[str, list[Place]] = {}
    for place in sorted(table.places, key=lambda place: place.path):
        subjects.setdefault(subject(place.path), []).append(place)
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8"><title>mutt API</title>',
        f"<style>{_STYLE}</style></head><body>",
        f"<h1>mutt API {escape(API_CURRENT)}</h1>",
        '<p>For programs: <a href="/api/openapi.json">openapi.json</a>.</p>',
    ]
    for name, places in sorted(subjects.items()):
        parts.append(f"<h2>{escape(name)}</h2>")
        parts += [_route(place, route) for place in places for route in place.methods.values()]
    return "\n".join([*parts, _problems(), "</body></html>\n"])


def _route(place: Place, route: ApiRoute) -> str:
    kind = ' class="old"' if route.lifetime.deprecated else ""
    title = f"<code{kind}>{escape(route.method)} {escape(place.path)}</code> {escape(route.summary)}"
    return f"<details><summary>{title}</summary>{_table(_facts(route))}{_parameters(route)}{_example(route)}</details>"


def _facts(route: ApiRoute) -> list[tuple[str, str]]:
    """(what, how) of everything that is more than a name."""
    ends = route.lifetime.sunset
    facts = [
        ("scope", route.scope.value if route.scope else "none: it is public"),
        ("", route.description),
        ("body", ", ".join(route.accepts) if route.body is not None else ""),
        ("answer", f"{route.status} {', '.join(route.gives)}"),
        ("ends", f"{ends.date().isoformat()}; then: {route.successor}" if ends else ""),
    ]
    return [(name, value) for name, value in facts if value]


def _parameters(route: ApiRoute) -> str:
    named = [(one.name, one.meaning + (" Required." if one.required else "")) for one in (*route.query, *route.headers)]
    return _table(named)


def _example(route: ApiRoute) -> str:
    if route.example is None:
        return ""
    return f"<pre>{escape(msgspec.json.format(msgspec.json.encode(route.example), indent=2).decode())}</pre>"


def _problems() -> str:
    rows = [(f"{one.uri} ({one.status})", f"{one.title}. {one.remedy}") for one in ProblemType]
    return f"<h2>problems</h2>{_table(rows)}"


def _table(rows: Iterable[tuple[str, str]]) -> str:
    lines = "".join(f"<tr><th><code>{escape(name)}</code></th><td>{escape(text)}</td></tr>" for name, text in rows)
    return f"<table>{lines}</table>" if lines else ""
