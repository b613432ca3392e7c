"""Entry: signing in with an API key, signing out, and the files that pages load."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.console.gate import SIGN_IN
from api.console.rendering import SAFE, STATIC, Pages
from api.console.sessions import Session, Sessions, is_local
from api.problem_types import ProblemType
from api.problems import Problem
from api.routes import ApiRoute
from schemas.secrets import Secret

HOME = "/ui"
LONGEST_KEY = 1000
REFUSED = "This key does not open anything here. Keys are made with `mutt keys create`."
NO_TLS = "This page came without TLS, so the browser will not keep you signed in: open it by https, or on this machine."

MEDIA = {
    "console.css": "text/css; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
    "mutt.svg": "image/svg+xml",
}
FOR_LONG = "public, max-age=31536000, immutable"

_TARGET = re.compile(r"/ui(/[\x21-\x7e]*)?(\?[\x21-\x7e]*)?")


class Entry:
    def __init__(self, pages: Pages, sessions: Sessions) -> None:
        self._pages = pages
        self._sessions = sessions

    def routes(self) -> tuple[ApiRoute, ...]:
        return (
            ApiRoute(method="GET", path=SIGN_IN, endpoint=self.show, scope=None, summary="Sign in"),
            ApiRoute(method="POST", path=SIGN_IN, endpoint=self.enter, scope=None, summary="Sign in"),
            ApiRoute(method="POST", path="/ui/sign-out", endpoint=self.leave, scope=None, summary="Sign out"),
            ApiRoute(method="GET", path="/ui/static/{name}", endpoint=self.file, scope=None, summary="A file"),
        )

    async def show(self, request: Request) -> Response:
        return self._form(request, request.query_params.get("to", HOME))

    async def enter(self, request: Request) -> Response:
        form = request.state.form
        key, to = form.get("key", "").strip()[:LONGEST_KEY], form.get("to", HOME)
        address = (request.scope.get("client") or ("",))[0]
        entered = await self._sessions.enter(Secret(key) if key else None, address)
        if entered is None:
            return self._form(request, to, status=401, problem=REFUSED)
        response = RedirectResponse(_inside(to), 303, headers=SAFE)
        self._sessions.keep(request, response, entered.session)
        return response

    async def leave(self, request: Request) -> Response:
        session: Session | None = request.scope["state"].get("session")
        if session is not None:
            await self._sessions.end(session)
        response = RedirectResponse(SIGN_IN, 303, headers=SAFE | {"Clear-Site-Data": '"cache", "storage"'})
        self._sessions.forget(request, response)
        return response

    async def file(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in MEDIA:
            raise Problem(ProblemType.NOT_FOUND, "there is no such file")
        headers = SAFE | {"Cache-Control": FOR_LONG}
        return Response((STATIC / name).read_bytes(), media_type=MEDIA[name], headers=headers)

    def _form(self, request: Request, to: str, *, status: int = 200, problem: str = "") -> Response:
        https = request.headers.get("origin", "").startswith("https:")
        warning = NO_TLS if request.method == "POST" and not (is_local(request) or https) else ""
        return self._pages.page(
            request, "sign_in.html", status=status, to=_inside(to), problem=problem, warning=warning
        )


def _inside(to: str) -> str:
    """Where to go after signing in: nowhere but into the console."""
    parts = urlsplit(to) if _TARGET.fullmatch(to) else None
    return to if parts is not None and not parts.netloc and not parts.scheme else HOME
