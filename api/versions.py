"""Versions of the API: which one a path belongs to, what may ask for it, and when it ends."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import format_datetime
from functools import lru_cache

from api.head import Head
from schemas.versions import API_CURRENT, API_V1, version_headers


@dataclass(frozen=True, slots=True)
class Lifetime:
    """Since when something is deprecated, and when it ends, where that is decided."""

    deprecated: dt.datetime | None = None
    sunset: dt.datetime | None = None
    """From then on it answers 410. At least twelve months after the deprecation."""

    def is_over(self, now: dt.datetime) -> bool:
        return self.sunset is not None and now >= self.sunset


FOR_GOOD = Lifetime()


@dataclass(frozen=True, slots=True)
class ApiVersion:
    """One version: the paths it owns, the names it is asked for by, and how long its routes live."""

    name: str
    prefixes: tuple[str, ...]
    asked_as: frozenset[str]
    lifetime: Lifetime = FOR_GOOD

    def owns(self, path: str) -> bool:
        return any(path == prefix or path.startswith(prefix + "/") for prefix in self.prefixes)


_V1_NAMES = frozenset({"1", "1.0", "2.0", "2.5", "v1", "v1.0", "v2.0", "v2.5"})

V1 = ApiVersion(
    API_V1,
    ("/api/v1",),
    _V1_NAMES,
    Lifetime(deprecated=dt.datetime(2026, 7, 1, tzinfo=dt.UTC), sunset=dt.datetime(2027, 7, 1, tzinfo=dt.UTC)),
)
INGEST = ApiVersion(API_V1, ("/ingest",), _V1_NAMES)
V2 = ApiVersion(API_CURRENT, ("/api/v2",), frozenset({"2", "2.0"}))
UNVERSIONED = ApiVersion(API_CURRENT, (), frozenset())

VERSIONS: tuple[ApiVersion, ...] = (V1, INGEST, V2)


VERSION_QUERY = "api_version"


def version_of(path: str) -> ApiVersion:
    """The version whose shape answers this path: the path alone decides."""
    return next((version for version in VERSIONS if version.owns(path)), UNVERSIONED)


def asked_version(head: Head, query: Mapping[str, str]) -> str | None:
    """The version the caller names, or None: `Accept-Version`, then `X-API-Version`, then `?api_version=`."""
    for asked in (head.first(b"accept-version"), head.first(b"x-api-version"), query.get(VERSION_QUERY)):
        if asked is not None:
            return asked.strip()
    return None


def accepts(version: ApiVersion, asked: str | None) -> bool:
    """Whether a path of this version may answer who asked so. Paths without version answer everybody."""
    return asked is None or version is UNVERSIONED or asked in version.asked_as


RawHeaders = tuple[tuple[bytes, bytes], ...]


def headers_of(version: ApiVersion, lifetime: Lifetime) -> dict[str, str]:
    """What an answer says of versions (RFC 9745, RFC 8594); see `link_to` too."""
    headers = version_headers(version.name) | {"X-API-Deprecated": "true" if lifetime.deprecated else "false"}
    if lifetime.deprecated is not None:
        headers["Deprecation"] = f"@{int(lifetime.deprecated.timestamp())}"
    if lifetime.sunset is not None:
        headers["Sunset"] = format_datetime(lifetime.sunset, usegmt=True)
    return headers


@lru_cache
def raw_headers_of(version: ApiVersion, lifetime: Lifetime) -> RawHeaders:
    """The same as ASGI takes them."""
    return tuple((name.lower().encode(), value.encode()) for name, value in headers_of(version, lifetime).items())


def link_to(successor: str | None) -> RawHeaders:
    """Where to look in future (RFC 8288)."""
    return ((b"link", f'<{successor}>; rel="successor-version"'.encode()),) if successor is not None else ()


def successor_of(version: ApiVersion, path: str) -> str | None:
    """Where to look instead of a path of an old version that is no route: the same in the current one."""
    if version.lifetime.deprecated is None:
        return None
    rest = path.removeprefix(version.prefixes[0])
    plain = all(char.isascii() and (char.isalnum() or char in "/-_.") for char in rest)
    return "/api/v2" + (rest if plain else "")
