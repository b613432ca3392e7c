"""Versions: of mutt, and of the API that every service names in its answers."""

from __future__ import annotations

from importlib.metadata import version

MUTT_VERSION = version("mutt")

API_CURRENT = "2.0"
API_V1 = "1.0"
API_SUPPORTED = (API_CURRENT, API_V1)

HEADER_VERSION = "X-API-Version"
HEADER_SUPPORTED = "X-API-Supported-Versions"


def version_headers(answering: str = API_CURRENT) -> dict[str, str]:
    """The headers that say which version answers and which there are."""
    return {HEADER_VERSION: answering, HEADER_SUPPORTED: ", ".join(API_SUPPORTED)}
