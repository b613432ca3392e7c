"""The console's gate: who is not signed in goes to the sign-in page, and no other site's page changes anything."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.console.forms import FOREIGN, check_origin, read_form
from api.console.sessions import Entered, Sessions
from api.gate import check_request, check_scope
from api.head import Head
from api.hosts import Hosts
from api.problem_types import ProblemType
from api.problems import Problem
from api.routes import REPORT, ApiRoute, Endpoint

SIGN_IN = "/ui/sign-in"
SIGNED_OUT = "your session has ended; sign in again, then send it once more"


class ConsoleGate:
    """An endpoint before all pages. Below it `request.state` has `client` and `session` where somebody is signed in,
    and `form` for what is posted. Raises Problem."""

    def __init__(self, endpoint: Endpoint, sessions: Sessions, hosts: Hosts) -> None:
        self._endpoint = endpoint
        self._sessions = sessions
        self._hosts = hosts

    async def __call__(self, request: Request) -> Response:
        scope = request.scope
        head: Head = scope["state"]["head"]
        route: ApiRoute | None = scope["state"]["route"]
        check_request(scope, head, self._hosts)
        if route is not None and route.scope is None and request.method == "GET":
            return await self._endpoint(request)
        told = route is not None and route.path == REPORT
        if request.method == "POST" and not told:
            check_origin(head)
            scope["state"]["form"] = await read_form(request)
        entered = await self._sessions.of(request)
        if entered is not None:
            scope["state"] |= {"client": entered.client, "session": entered.session}
        if route is None or route.scope is not None:
            if entered is None:
                return _to_sign_in(request)
            check_scope(route, entered.client)
            if request.method == "POST":
                self._check_token(request, entered)
        response = await self._endpoint(request)
        if entered is not None and self._sessions.is_due(entered.session) and "set-cookie" not in response.headers:
            self._sessions.keep(request, response, entered.session)
        return response

    def _check_token(self, request: Request, entered: Entered) -> None:
        if not self._sessions.knows_token(entered.session, request.state.form.get("token", "")):
            raise Problem(ProblemType.FORBIDDEN, FOREIGN)


def _to_sign_in(request: Request) -> Response:
    """What was posted is lost, so it is told; a page is opened once its reader has signed in."""
    if request.method not in ("GET", "HEAD"):
        raise Problem(ProblemType.UNAUTHORIZED, SIGNED_OUT)
    query = request.scope["query_string"].decode("latin-1")
    wanted = request.scope["path"] + (f"?{query}" if query else "")
    return RedirectResponse(f"{SIGN_IN}?{urlencode({'to': wanted})}", 303)
