"""/api/v2/config: the keys of the dynamic configuration, typed: what is in force, and changes, alone or together."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Annotated

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from api import bodies, preconditions, versioned
from api.authors import author_of
from api.config_audit import CHANGES, AuditReader
from api.cursors import Cursors
from api.metrics import ApiMetrics
from api.preconditions import IF_MATCH, IF_NONE_MATCH
from api.problem_types import ProblemType
from api.problems import Fault, Invalid, JsonResponse, Problem
from api.queries import QueryReader
from api.reasons import WHY, Reason, reason_asked
from api.routes import ApiRoute, Parameter
from schemas.config import BY_NAME, Value
from schemas.config_values import typed_text
from schemas.errors import ConfigRefused
from schemas.json_checks import pointer_to
from schemas.scopes import Scope
from streams.adapters.config_audit import ConfigAudit
from streams.adapters.config_store import ConfigStore
from streams.core.config_audit import ConfigAuditQuery
from streams.core.config_keys import KeyStanding, standing, standings

PATH = "/api/v2/config"
ONE = PATH + "/{key}"
TABLE = "dynamic_config"
NO_KEY = "there is no such configuration key"
MOST_CHANGES = 100

READERS = tuple(dict.fromkeys(key.read_by for key in BY_NAME.values()))


class ConfigKey(Struct, frozen=True, kw_only=True):
    """A key, its value in force, and what it may be."""

    key: str
    value: Value
    default: Value
    is_set: bool
    """Whether somebody set it; else it has its default."""
    version: int
    """0 for the default."""
    type: str
    unit: str
    low: float | None
    high: float | None
    """Bounds of a number, or of the length of a text."""
    choices: list[str]
    bounds: str
    """All of them in words."""
    description: str
    read_by: str
    updated_at: dt.datetime | None


class ConfigKeys(Struct, frozen=True):
    items: list[ConfigKey]
    next: None
    """Always null: all keys are on one page."""


class NewValue(Struct, forbid_unknown_fields=True):
    """A value of the key's type."""

    value: Value
    reason: Reason | None = None


class ConfigChanges(Struct, forbid_unknown_fields=True):
    """Keys that change together, or not at all; null is the default."""

    changes: Annotated[dict[str, Value | None], Meta(min_length=1, max_length=MOST_CHANGES)]
    expected: Annotated[dict[str, int], Meta(max_length=MOST_CHANGES)] = {}
    """Versions that keys must still have, where that matters."""
    reason: Reason | None = None


class Config:
    def __init__(self, keys: ConfigStore, audit: ConfigAudit, cursors: Cursors, metrics: ApiMetrics) -> None:
        self._keys = keys
        self._audit = AuditReader(audit, cursors, metrics)
        self._metrics = metrics

    def routes(self) -> tuple[ApiRoute, ...]:
        read, write = Scope.CONFIG_READ, Scope.CONFIG_WRITE
        read_by = Parameter(
            "read_by", "Keys that this part reads.", Annotated[str, Meta(extra_json_schema={"enum": READERS})]
        )
        together = {"alerter_queue_warn_threshold": 500, "alerter_queue_shed_threshold": 900}
        changes = (404, 412, 428)
        return (
            ApiRoute(method="GET", path=PATH, endpoint=self.list, scope=read, query=(read_by,),
                     summary="Every key with its value in force, bounds, default and who reads it", answer=ConfigKeys),
            ApiRoute(method="POST", path=PATH + "/changes", endpoint=self.together, scope=write,
                     summary="Some keys changed together, or not at all", body=ConfigChanges,
                     example={"changes": together}, answer=ConfigKeys, errors=(412,)),
            ApiRoute(method="GET", path=ONE, endpoint=self.show, scope=read, summary="One key", answer=ConfigKey,
                     headers=(IF_NONE_MATCH,), errors=(304, 404)),
            ApiRoute(method="PUT", path=ONE, endpoint=self.put, scope=write, summary="Another value for a key",
                     body=NewValue, example={"value": 30}, answer=ConfigKey, headers=(IF_MATCH,), errors=changes),
            ApiRoute(method="DELETE", path=ONE, endpoint=self.reset, scope=write, query=(WHY,),
                     summary="A key back to its default", answer=ConfigKey, headers=(IF_MATCH,),
                     description="409 where a key that it must agree with stands in the way.", errors=(*changes, 409)),
            ApiRoute(method="GET", path=ONE + "/history", endpoint=self.history, scope=Scope.AUDIT_READ,
                     summary="Every change of a key", query=CHANGES.query, answer=CHANGES.answer, errors=(400, 404)),
        )  # fmt: skip

    async def list(self, request: Request) -> Response:
        reader = QueryReader(request.query_params)
        read_by = reader.choice("read_by", READERS)
        reader.finish()
        with self._metrics.timed("config"):
            every = standings(await self._keys.stored())
        return _keys(one for one in every if read_by in (None, one.key.read_by))

    async def show(self, request: Request) -> Response:
        found = await self._standing(request)
        return versioned.found(request, _shown(found), found.version)

    async def put(self, request: Request) -> Response:
        found = await self._standing(request)
        preconditions.required(request, found.version)
        new = await bodies.read(request, NewValue)
        try:
            text = typed_text(found.key.name, new.value)
        except ConfigRefused as refused:
            raise Invalid([Fault(str(refused), pointer="/value")]) from None
        return await self._change(request, found, text, new.reason)

    async def reset(self, request: Request) -> Response:
        reason = reason_asked(request)
        found = await self._standing(request)
        preconditions.required(request, found.version)
        try:
            return await self._change(request, found, None, reason)
        except ConfigRefused as refused:  # no value was sent: what stands in the way are the other keys
            raise Problem(ProblemType.CONFLICT, str(refused)) from None

    async def together(self, request: Request) -> Response:
        asked = await bodies.read(request, ConfigChanges)
        texts = _texts(asked)
        author = author_of(request, asked.reason)
        with self._metrics.timed("config_change"):
            await self._keys.change(texts, author, expected=asked.expected)
            every = standings(await self._keys.stored())
        return _keys(one for one in every if one.key.name in texts)

    async def history(self, request: Request) -> Response:
        name = request.path_params["key"]
        if name not in BY_NAME:
            raise Problem(ProblemType.NOT_FOUND, NO_KEY)
        return await self._audit.page(request, ConfigAuditQuery(tables=(TABLE,), object=name))

    async def _standing(self, request: Request) -> KeyStanding:
        """The key of the path. Raises Problem (404)."""
        with self._metrics.timed("config"):
            found = standing(request.path_params["key"], await self._keys.stored())
        if found is None:
            raise Problem(ProblemType.NOT_FOUND, NO_KEY)
        return found

    async def _change(self, request: Request, found: KeyStanding, text: str | None, reason: str | None) -> Response:
        name = found.key.name
        with self._metrics.timed("config_change"):
            await self._keys.change({name: text}, author_of(request, reason), expected={name: found.version})
        changed = await self._standing(request)
        return versioned.now(_shown(changed), changed.version)


def _texts(asked: ConfigChanges) -> dict[str, str | None]:
    """What to store. Raises Invalid with every fault of a key alone."""
    texts: dict[str, str | None] = {}
    faults = []
    for name, value in asked.changes.items():
        try:
            is_default = value is None and name in BY_NAME
            texts[name] = None if is_default else typed_text(name, "" if value is None else value)
        except ConfigRefused as refused:
            faults.append(Fault(str(refused), pointer=pointer_to("/changes", name)))
    faults += [Fault(NO_KEY, pointer=pointer_to("/expected", name)) for name in asked.expected if name not in BY_NAME]
    if faults:
        raise Invalid(faults)
    return texts


def _keys(found: Iterable[KeyStanding]) -> Response:
    return JsonResponse(ConfigKeys([_shown(one) for one in found], None))


TYPES = {bool: "boolean", int: "integer", float: "number", str: "string"}


def _shown(found: KeyStanding) -> ConfigKey:
    key = found.key
    return ConfigKey(
        key=key.name,
        value=found.value,
        default=key.default,
        is_set=found.stored is not None,
        version=found.version,
        type=TYPES[key.kind],
        unit=key.unit,
        low=0 if key.zero else key.low,
        high=key.high,
        choices=list(key.choices),
        bounds=key.bounds,
        description=key.means,
        read_by=key.read_by,
        updated_at=found.stored.updated_at if found.stored else None,
    )
