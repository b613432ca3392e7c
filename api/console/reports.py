"""Reports: what browsers stopped on a page of the console, since its policy does not allow it."""

from __future__ import annotations

from typing import Any

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import Response

from api.bodies import bounded
from api.metrics import ApiMetrics
from api.routes import REPORT, ApiRoute

log = structlog.get_logger()

MOST = 16 * 1024
SHOWN = ("violated-directive", "blocked-uri", "source-file", "line-number")
LONGEST = 200


class Reports:
    """Only those who are signed in are heard: nobody else's words come into the log."""

    def __init__(self, metrics: ApiMetrics) -> None:
        self._count = metrics.policy_reports

    def routes(self) -> tuple[ApiRoute, ...]:
        post = ApiRoute(method="POST", path=REPORT, endpoint=self.take, scope=None, summary="What a browser stopped")
        return (post,)

    async def take(self, request: Request) -> Response:
        content = await bounded(request, MOST)
        if request.scope["state"].get("client") is not None:
            self._count.inc()
            log.warning("a page of the console broke its policy", **_shown(content))
        return Response(status_code=204)


def _shown(content: bytes) -> dict[str, str]:
    """What helps to find it; what cannot be read is left out."""
    try:
        report: Any = msgspec.json.decode(content)["csp-report"]
        return {name.replace("-", "_"): str(report[name])[:LONGEST] for name in SHOWN if name in report}
    except (msgspec.DecodeError, KeyError, TypeError, UnicodeDecodeError):
        return {}
