"""Whether an answer is what the documentation says: its status, its media type, every member of its body."""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from typing import Any

import httpx2
import msgspec

from api.openapi import IngestError, Json, ProblemBody, V1Error, document, statuses_of
from api.problems import PROBLEM_JSON
from api.routes import JSON, ApiRoute, Place, Table
from schemas.json_faults import faults_in

EVERYWHERE = {"x-request-id", "x-correlation-id", "x-api-version", "x-api-supported-versions"}


_TOLD = [field.name for field in fields(ApiRoute) if field.name != "endpoint"]
_documents: list[tuple[list[list[Any]], Json]] = []


@cache
def _document(table: Table) -> Json:
    """The document of these routes. It takes a quarter of a second, and most tables differ by endpoints alone."""
    told = [[getattr(route, name) for name in _TOLD] for route in table.routes]
    for known, made in _documents:
        if known == told:
            return made
    _documents.append((told, document(table)))
    return _documents[-1][1]


def check_answer(table: Table, answer: httpx2.Response) -> None:
    """For the hooks of a client. What is no route (404, 405, OPTIONS) stands in no documentation."""
    assert set(answer.headers) >= EVERYWHERE
    found = table.find(answer.request.url.path)
    route = found.place.route(answer.request.method) if found else None
    if found is None or route is None:
        return
    answer.read()
    _check_status(found.place, route, answer.status_code)
    if answer.request.method == "HEAD" or not (answer.content or route.answer):
        return
    if answer.status_code == 304:
        assert answer.content == b""
        return
    media = answer.headers["content-type"]
    if answer.status_code >= 400 and not _is_ready(route, answer.status_code):
        _check_error(table, found.place, route, answer)
    else:
        assert media in route.gives, f"{route.path}: {media} is not documented"
        if media == JSON:
            _check_body(route, answer.content)


def _check_status(place: Place, route: ApiRoute, status: int) -> None:
    assert status == route.status or status in statuses_of(place, route), f"{route.path}: {status} is not documented"


def _is_ready(route: ApiRoute, status: int) -> bool:
    """Not ready is an answer in the shape of a good one."""
    return (route.path, status) == ("/ready", 503)


def _check_error(table: Table, place: Place, route: ApiRoute, answer: httpx2.Response) -> None:
    shown = _document(table)
    reference = shown["paths"][place.path][route.method.lower()]["responses"][str(answer.status_code)]["$ref"]
    form = shown["components"]["responses"][reference.rpartition("/")[2]]
    media = answer.headers["content-type"]
    assert media in form["content"], f"{route.path}: {answer.status_code} as {media} is not documented"
    type_ = ProblemBody if media == PROBLEM_JSON else IngestError if "message" in answer.json() else V1Error
    msgspec.convert(answer.json(), type_)


def _check_body(route: ApiRoute, body: bytes) -> None:
    assert route.answer is not None, f"{route.path}: a body is not documented"
    faults = faults_in(msgspec.json.decode(body), route.answer)
    assert not faults, f"{route.path}: {faults}"
