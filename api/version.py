"""GET /api/v1/version and /api/v2/version: which versions of the API there are, and what becomes of them."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

import msgspec
from msgspec import UNSET, Struct, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from api.problems import JsonResponse
from api.routes import ApiRoute
from api.versions import V1, V2
from schemas.versions import API_CURRENT, API_SUPPORTED, MUTT_VERSION


class Status(StrEnum):
    CURRENT = "current"
    SUPPORTED = "supported"
    DEPRECATED = "deprecated"


class Release(Struct, frozen=True):
    """One version of the API. Members that say nothing are left out."""

    released: dt.date
    status: Status
    changes: tuple[str, ...]
    deprecated_in: str | UnsetType = UNSET
    removal_date: dt.date | UnsetType = UNSET


class V1Versions(Struct, frozen=True):
    current_version: str
    default_version: str
    supported_versions: tuple[str, ...]
    version_history: dict[str, Release]


class Versions(V1Versions, frozen=True):
    """`default_version` is answered where nobody asks for one; the path always decides the shape."""

    mutt_version: str


HISTORY = {
    V2.name: Release(
        released=dt.date(2026, 7, 1),
        status=Status.CURRENT,
        changes=(
            "Errors are problem+json (RFC 9457), with a pointer to each fault.",
            "Lists have cursors instead of pages; writes take If-Match and Idempotency-Key.",
            "Every objective with burn rates over several windows, maintenance, dead letters, ledger, traces and jobs.",
        ),
    ),
    V1.name: Release(
        released=dt.date(2025, 7, 1),
        status=Status.DEPRECATED,
        changes=("Rules, hosts, teams, configuration, audit, objectives and ingest.",),
        deprecated_in=V2.name,
        removal_date=V1.lifetime.sunset.date() if V1.lifetime.sunset else UNSET,
    ),
}


class VersionInfo:
    def routes(self) -> tuple[ApiRoute, ...]:
        v1 = ApiRoute(
            method="GET",
            path="/api/v1/version",
            endpoint=self.v1,
            scope=None,
            summary="Which versions there are",
            answer=V1Versions,
            successor="/api/v2/version",
        )
        v2 = ApiRoute(
            method="GET",
            path="/api/v2/version",
            endpoint=self.v2,
            scope=None,
            summary="Which versions there are, of the API and of mutt",
            answer=Versions,
        )
        return v1, v2

    async def v1(self, _: Request) -> Response:
        return JsonResponse(_SHOWN)

    async def v2(self, _: Request) -> Response:
        return JsonResponse(Versions(**msgspec.structs.asdict(_SHOWN), mutt_version=MUTT_VERSION))


_SHOWN = V1Versions(API_CURRENT, API_CURRENT, API_SUPPORTED, HISTORY)
