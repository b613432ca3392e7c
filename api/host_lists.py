"""Names of hosts in bodies and paths, and what lists of hosts have in common."""

from __future__ import annotations

import re
from typing import Annotated

from msgspec import Meta
from starlette.requests import Request

from api import preconditions
from api.problem_types import ProblemType
from api.problems import Problem
from api.queries import text_up_to
from schemas.events import HOSTNAME_LIMIT
from streams.adapters.host_lists import NO_HOST, HostList
from streams.core.host_lists import ListedHost

HOSTNAME = r"^(?!\.{1,2}$)[^\x00-\x1f\x7f-\x9f/\\]*[^\s\x00-\x1f\x7f-\x9f/\\][^\x00-\x1f\x7f-\x9f/\\]*$(?!\n)"
"""What can stand in a path: no slash, no control character, and not blank."""

Hostname = Annotated[str, Meta(min_length=1, max_length=HOSTNAME_LIMIT, pattern=HOSTNAME)]
HostText = Annotated[str, text_up_to(HOSTNAME_LIMIT)]

_HOSTNAME = re.compile(HOSTNAME)


def hostname_of(request: Request) -> str:
    """Of the path. Raises Problem (404): no host has a name that none can have."""
    name: str = request.path_params["hostname"]
    if len(name) > HOSTNAME_LIMIT or not _HOSTNAME.search(name):
        raise Problem(ProblemType.NOT_FOUND, NO_HOST)
    return name


async def looked_at(request: Request, hosts: HostList) -> ListedHost:
    """The host that a write of v2 means. Raises NotFound, or Problem: 412, 428."""
    host = await hosts.get(hostname_of(request))
    preconditions.required(request, host.version)
    return host
