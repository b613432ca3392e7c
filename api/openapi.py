"""The table of routes as OpenAPI 3.1: paths, parameters, bodies, answers, errors, keys and what is deprecated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from email.utils import format_datetime
from typing import Any

import msgspec
from msgspec import Struct
from starlette.convertors import Convertor, IntegerConvertor, UUIDConvertor

from api.problem_types import ProblemType
from api.problems import INGEST_PATHS, INGEST_STATUSES, PROBLEM_JSON, V1_STATUSES
from api.routes import JSON, LARGEST_ID, ApiRoute, Parameter, Place, Table
from api.versions import V1, V2
from schemas.versions import API_CURRENT

_REF = "#/components/schemas/{name}"

Json = dict[str, Any]


class FaultBody(Struct):
    """One thing that is wrong: where, as a JSON pointer into the body or the name of a parameter, and what."""

    detail: str
    pointer: str | None = None
    parameter: str | None = None
    position: int | None = None
    """Of a text that is wrong in one place: how many of its characters stand before that."""


class ProblemBody(Struct):
    """An error (RFC 9457). `type` is one of the closed table in docs/API.md."""

    type: str
    title: str
    status: int
    detail: str
    correlation_id: str
    errors: list[FaultBody] = []


class V1Error(Struct):
    """An error of version 1."""

    error: str
    correlation_id: str


class IngestError(Struct):
    """An error of the ingest door of version 1."""

    status: str
    message: str
    correlation_id: str
    retry_after: int | None = None
    queue_depth: int | None = None
    queue_limit: int | None = None


def document(table: Table) -> Json:
    """The OpenAPI document of these routes, the same for the same table."""
    schemas = _Schemas(table.routes)
    paths = {place.path: _path(place, schemas) for place in sorted(table.places, key=lambda place: place.path)}
    used = {name for path in paths.values() for method in path.values() for name in _answers_of(method)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "mutt", "version": API_CURRENT, "description": _ABOUT},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "responses": {name: body for name, body in _error_answers(schemas).items() if name in used},
            "headers": _HEADERS,
            "securitySchemes": _SECURITY,
        },
    }


_ABOUT = "Telemetry events, what became of them, and the rules and configuration that decide. Guide: docs/API.md."
_SECURITY = {
    "key": {"type": "apiKey", "in": "header", "name": "X-API-KEY"},
    "bearer": {"type": "http", "scheme": "bearer"},
}
_HEADERS = {
    "X-Request-ID": {"description": "Ours, of this request; it is in the log.", "schema": {"type": "string"}},
    "X-Correlation-ID": {"description": "The caller's, else ours.", "schema": {"type": "string"}},
    "X-API-Version": {"description": "The version that answers.", "schema": {"type": "string"}},
    "X-API-Supported-Versions": {"description": "All there are.", "schema": {"type": "string"}},
}
_ON_EVERY_ANSWER = {name: {"$ref": f"#/components/headers/{name}"} for name in _HEADERS}


class _Schemas:
    """What msgspec says of every type in the table. Bodies take no members but their own, whatever their class says."""

    def __init__(self, routes: tuple[ApiRoute, ...]) -> None:
        bodies = [route.body for route in routes if route.body is not None]
        answers = [route.answer for route in routes if route.answer is not None]
        parameters = [one.type for route in routes for one in (*route.query, *route.headers)]
        types = [*bodies, *answers, *parameters, ProblemBody, V1Error, IngestError]
        found, self.components = msgspec.json.schema_components(types, ref_template=_REF)
        self._found = list(zip(types, found, strict=True))
        strict = [route.body for route in routes if route.body is not None and not route.unknown_members]
        for name in msgspec.json.schema_components(strict, ref_template=_REF)[1]:
            if "properties" in self.components[name]:
                self.components[name]["additionalProperties"] = False
        self.components = dict(sorted(self.components.items()))

    def of(self, type_: Any) -> Json:
        return next(schema for known, schema in self._found if known is type_ or known == type_)


def _path(place: Place, schemas: _Schemas) -> Json:
    return {method.lower(): _operation(place, route, schemas) for method, route in sorted(place.methods.items())}


def _operation(place: Place, route: ApiRoute, schemas: _Schemas) -> Json:
    operation: Json = {"operationId": _name(place, route), "summary": route.summary, "tags": [subject(place.path)]}
    if route.description:
        operation["description"] = route.description
    parameters = [_in_path(name, convertor) for name, convertor in place.convertors.items()]
    parameters += [_parameter("query", one, schemas) for one in route.query]
    parameters += [_parameter("header", one, schemas) for one in route.headers]
    if parameters:
        operation["parameters"] = parameters
    if route.body is not None:
        operation["requestBody"] = _body(route, schemas)
    operation["responses"] = _responses(place, route, schemas)
    operation["security"] = [] if route.scope is None else [{scheme: []} for scheme in _SECURITY]
    return operation | _standing(route)


def _standing(route: ApiRoute) -> Json:
    """The scope it needs, since when it is there, and until when."""
    standing: Json = {"x-since": route.version.name}
    if route.scope is not None:
        standing["x-scope"] = route.scope.value
    if route.lifetime.deprecated is not None:
        standing |= {"deprecated": True, "x-deprecated": route.lifetime.deprecated.date().isoformat()}
    if route.lifetime.sunset is not None:
        standing["x-sunset"] = route.lifetime.sunset.date().isoformat()
    if route.successor is not None:
        standing["x-successor"] = route.successor
    return standing


def subject(path: str) -> str:
    """What a path is about: its first part that names no version."""
    parts = [part for part in path.split("/") if part not in ("", "api", "v1", "v2")]
    return parts[0]


def _name(place: Place, route: ApiRoute) -> str:
    parts = [part.strip("{}").replace("-", "_").replace(".", "_") for part in place.path.split("/") if part]
    return "_".join([route.method.lower(), *parts])


_SEGMENT = r"^[^/\x00-\x1f\x7f-\x9f\ufffd]+$"
"""One part of a path, in which the gate takes no control character."""


def _in_path(name: str, convertor: Convertor[Any]) -> Json:
    schema: Json = {"type": "string", "minLength": 1, "pattern": _SEGMENT}
    if isinstance(convertor, IntegerConvertor):
        schema = {"type": "integer", "minimum": 0, "maximum": LARGEST_ID}
    elif isinstance(convertor, UUIDConvertor):
        schema = {"type": "string", "format": "uuid"}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _parameter(where: str, one: Parameter, schemas: _Schemas) -> Json:
    shown: Json = {"name": one.name, "in": where, "description": one.meaning, "schema": schemas.of(one.type)}
    if one.required:
        shown["required"] = True
    if one.example is not None:
        shown["example"] = one.example
    return shown


def _body(route: ApiRoute, schemas: _Schemas) -> Json:
    """JSON as its schema says; of other types there is one document of it a line."""
    content: Json = {media: {"schema": schemas.of(route.body) if media == JSON else {}} for media in route.accepts}
    if route.example is not None and JSON in content:
        content[JSON]["example"] = route.example
    return {"required": True, "content": content}


def _responses(place: Place, route: ApiRoute, schemas: _Schemas) -> Json:
    good: Json = {"description": route.summary, "headers": _ON_EVERY_ANSWER | _ends(route)}
    if route.answer is not None:
        good["content"] = {route.gives[0]: {"schema": schemas.of(route.answer)}}
        good["content"] |= {media: _file(media) for media in route.gives[1:]}
    elif route.gives != (JSON,):
        good["content"] = {media: _file(media) for media in route.gives}
    responses = {str(route.status): good}
    for status in statuses_of(place, route):
        responses[str(status)] = {"$ref": f"#/components/responses/{_shape(route.path, status)}{status}"}
    return dict(sorted(responses.items()))


def _file(media: str) -> Json:
    """A text; of YAML a reader sees what it stands for, which may be anything."""
    return {"schema": {} if media.endswith("yaml") else {"type": "string"}}


def _ends(route: ApiRoute) -> Json:
    """The headers that announce the end of what is deprecated."""
    text, found = {"schema": {"type": "string"}}, {}
    if route.lifetime.deprecated is not None:
        found["Deprecation"] = {"description": f"@{int(route.lifetime.deprecated.timestamp())}", **text}
    if route.lifetime.sunset is not None:
        found["Sunset"] = {"description": format_datetime(route.lifetime.sunset, usegmt=True), **text}
    if route.successor is not None:
        found["Link"] = {"description": f"<{route.successor}>", **text}
    return found


def statuses_of(place: Place, route: ApiRoute) -> list[int]:
    """Every status but the good one that a route may answer with."""
    found = {400, 414, 431, 500, *route.errors}
    if route.scope is not None:
        found |= {401, 403, 429}
    if route.version in (V1, V2) or route.path in INGEST_PATHS:
        found |= {406, 503}
    if route.lifetime.sunset is not None:
        found.add(410)
    if place.convertors:
        found.add(404)
    if route.body is not None:
        found |= {408, 413, 415, 422}
    if route.query or route.version is V2:
        found.add(422)
    return sorted(found - {route.status})


def _shape(path: str, status: int) -> str:
    """Whose form an error has on a path; `error_response` in api/problems.py writes them."""
    if status < 400:
        return "Other"
    if path in INGEST_PATHS and status in INGEST_STATUSES:
        return "Ingest"
    return "V1" if V1.owns(path) and status in V1_STATUSES else "Problem"


def _error_answers(schemas: _Schemas) -> dict[str, Json]:
    """Each error once, in each form: components that operations refer to."""
    forms = {"Problem": (ProblemBody, PROBLEM_JSON), "V1": (V1Error, JSON), "Ingest": (IngestError, JSON)}
    answers: dict[str, Json] = {"Other304": {"description": "Not modified", "headers": _ON_EVERY_ANSWER}}
    for status, types in _types_by_status().items():
        words = "; ".join(f"{one.title} ({one.slug})" for one in types)
        for form, (schema, media) in forms.items():
            content = {media: {"schema": schemas.of(schema)}}
            answers[f"{form}{status}"] = {"description": words, "headers": _ON_EVERY_ANSWER, "content": content}
    return answers


def _types_by_status() -> Mapping[int, list[ProblemType]]:
    return {status: [one for one in ProblemType if one.status == status] for status in {t.status for t in ProblemType}}


def _answers_of(operation: Json) -> Iterable[str]:
    for answer in operation["responses"].values():
        if "$ref" in answer:
            yield answer["$ref"].rpartition("/")[2]
