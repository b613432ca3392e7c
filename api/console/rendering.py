"""Rendering: templates, in which all text is only text, and the headers that keep every page so."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse

from api.console.sessions import Sessions
from api.problems import problem_of
from schemas.scopes import Client, Scope
from schemas.versions import MUTT_VERSION

HERE = Path(__file__).parent
STATIC = HERE / "static"

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
        "report-uri /ui/csp-report",
    )
)
"""Nothing runs that is not a file of ours, and no text becomes markup in the browser either."""

SAFE = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

Link = tuple[str, str, Scope, str]
"""Address, name, what a reader must be allowed, and the letter that leads there after `g`."""

NAVIGATION: tuple[tuple[str, tuple[Link, ...]], ...] = (
    (
        "Events",
        (
            ("/ui", "Overview", Scope.EVENTS_READ, "o"),
            ("/ui/events", "Events", Scope.EVENTS_READ, "e"),
            ("/ui/alerts", "Alerts", Scope.EVENTS_READ, "a"),
            ("/ui/unhandled", "Unhandled", Scope.EVENTS_READ, "u"),
            ("/ui/dead-letters", "Dead letters", Scope.DLQ_READ, "d"),
            ("/ui/jobs", "Jobs", Scope.DLQ_READ, "j"),
        ),
    ),
    (
        "Rules",
        (
            ("/ui/rules", "Rules", Scope.RULES_READ, "r"),
            ("/ui/hosts", "Hosts", Scope.RULES_READ, "t"),
        ),
    ),
    (
        "Promises",
        (
            ("/ui/slo", "Service levels", Scope.EVENTS_READ, "s"),
            ("/ui/maintenance", "Maintenance", Scope.CONFIG_READ, "m"),
            ("/ui/ledger", "Ledger", Scope.EVENTS_READ, "l"),
        ),
    ),
    (
        "Operation",
        (
            ("/ui/config", "Configuration", Scope.CONFIG_READ, "c"),
            ("/ui/changes", "Changes", Scope.AUDIT_READ, "h"),
            ("/ui/keys", "Keys", Scope.KEYS_ADMIN, "k"),
            ("/ui/system", "System", Scope.CONFIG_READ, "y"),
        ),
    ),
)
"""Groups of pages, as the menu shows them."""

# Controls but tab and line end, what turns or hides text (bidi, zero width), and other separators of lines.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)


def seen(text: str) -> str:
    """What cannot be seen, or would move what can, by its name: ␛ for ESC, ‹U+202E› for a turn of direction."""
    return _UNSEEN.sub(_name, text)


def _name(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else f"\u2039U+{code:04X}\u203a"


def exact(text: object) -> Markup:
    """For the value of a form's field, which is sent back: nothing is changed in it."""
    return Markup(escape("" if text is None else text))  # noqa: S704 - escaped


def moment(at: object) -> Markup:
    """A time in UTC; the script shows it in the reader's zone."""
    if not isinstance(at, str):
        return Markup('<span class="none">never</span>')
    instant = dt.datetime.fromisoformat(at).astimezone(dt.UTC)
    shown = f"{instant:%Y-%m-%d %H:%M:%S} UTC"
    return Markup('<time datetime="{}">{}</time>').format(instant.isoformat(timespec="milliseconds"), shown)


def count(number: object) -> str:
    """1234567 as 1,234,567, and what is not known as a dash."""
    return "\u2013" if number is None else f"{number:,}"


def address(path: str, **query: object) -> str:
    """An address of ours with what is not empty of a query."""
    given = {name: str(value) for name, value in query.items() if value not in (None, "")}
    return quote(path, safe="/:") + (f"?{urlencode(given)}" if given else "")


def _shown(value: object) -> object:
    """Every expression of every template goes through here, before it is escaped."""
    if isinstance(value, Markup):
        return value
    return seen(value) if isinstance(value, str) else "" if value is None else value


@cache
def _environment() -> Environment:
    """Compiled once for all."""
    found = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {"exact": exact, "moment": moment, "count": count}
    found.globals |= {
        "address": address,
        "stamps": {path.name: _stamp(path.name) for path in STATIC.iterdir()},
        "mutt_version": MUTT_VERSION,
    }
    return found


def _stamp(name: str) -> str:
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]


class Pages:
    """Makes the answers of the console."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def page(
        self,
        request: Request,
        template: str,
        *,
        status: int = 200,
        headers: dict[str, str] | None = None,
        **values: Any,
    ) -> HTMLResponse:
        """The template with these values, and with who is signed in."""
        state = request.scope["state"]
        client: Client | None = state.get("client")
        values |= {
            "client": client,
            "here": request.scope["path"],
            "navigation": _navigation(client),
            "token": self._sessions.token(state["session"]) if "session" in state else "",
            "may": _may(client),
        }
        text = _environment().get_template(template).render(values)
        return HTMLResponse(text, status, headers=SAFE | (headers or {}))

    def failure(self, error: Exception, request: Request) -> HTMLResponse:
        """What went wrong, told to people."""
        problem = problem_of(error, request.scope["path"])
        headers = dict(problem.headers or {})
        headers.pop("WWW-Authenticate", None)
        return self.page(
            request,
            "failure.html",
            status=problem.type.status,
            headers=headers,
            problem=problem,
            correlation_id=request.scope["state"]["correlation_id"],
        )


def _navigation(client: Client | None) -> list[tuple[str, list[tuple[str, str, str]]]]:
    """What the client may see; a group of which that is nothing is left out."""
    scopes = client.scopes if client else frozenset()
    groups = (
        (group, [(path, name, letter) for path, name, scope, letter in links if scope in scopes])
        for group, links in NAVIGATION
    )
    return [(group, links) for group, links in groups if links]


def _may(client: Client | None) -> dict[str, bool]:
    """By the names of scopes: `may.rules_write`."""
    return {scope.name.lower(): client is not None and scope in client.scopes for scope in Scope}
