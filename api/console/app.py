"""create_console: the pages. Its list of subjects is the table of contents."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Receive, Scope, Send

from api.answering import Answering
from api.console.components import Components
from api.console.config import ConfigPages
from api.console.dead_letters import DeadLetterPages
from api.console.entry import Entry
from api.console.events import EventPages
from api.console.gate import ConsoleGate
from api.console.hosts import HostPages
from api.console.inside import Inside
from api.console.keys import KeyPages
from api.console.letters import LetterPages
from api.console.levels import LevelPages
from api.console.overview import OverviewPage
from api.console.rendering import Pages
from api.console.reports import Reports
from api.console.rule_files import RuleFilePages
from api.console.rules import RulePages
from api.console.sessions import Sessions
from api.console.system import SystemPages
from api.dispatch import dispatch
from api.envelope import Envelope
from api.hosts import Hosts
from api.metrics import ApiMetrics
from api.routes import Resource, Table, flatten

PREFIX = "/ui"


def subjects(
    inside: Inside, pages: Pages, sessions: Sessions, metrics: ApiMetrics, stopping: asyncio.Event
) -> tuple[Resource, ...]:
    """All pages, by subject."""
    return (
        Entry(pages, sessions),
        OverviewPage(inside, pages, sessions, stopping),
        EventPages(inside, pages),
        LevelPages(inside, pages),
        RulePages(inside, pages),
        RuleFilePages(inside, pages),
        HostPages(inside, pages),
        DeadLetterPages(inside, pages),
        LetterPages(inside, pages),
        ConfigPages(inside, pages),
        KeyPages(inside, pages),
        SystemPages(inside, pages),
        Components(pages),
        Reports(metrics),
    )


def create_console(
    api: Table, sessions: Sessions, hosts: Hosts, metrics: ApiMetrics, stopping: asyncio.Event
) -> Envelope:
    """The ASGI application of everything below /ui. What lasts ends once `stopping` is set."""
    pages = Pages(sessions)
    table = Table(flatten(subjects(Inside(api), pages, sessions, metrics, stopping)))
    gate = ConsoleGate(dispatch, sessions, hosts)
    return Envelope(Answering(gate, pages.failure), metrics, table)


class WithConsole:
    """The API, and the console below its own prefix."""

    def __init__(self, api: ASGIApp, console: ASGIApp) -> None:
        self._api = api
        self._console = console

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        app = self._console if path == PREFIX or path.startswith(PREFIX + "/") else self._api
        await app(scope, receive, send)
