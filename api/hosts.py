"""Which names the API answers to, so that a page of another site cannot reach it by a name of its own."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from functools import lru_cache

from api.head import Head
from api.problem_types import ProblemType
from api.problems import Problem

_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?")

LONGEST = 300
"""Characters of a name and its port; no name is as long (RFC 1035)."""

REFUSED = "this Host is not served here"


class Hosts:
    """Addresses and localhost always, since no foreign name leads there unseen; other names where they are listed.

    `*.example.org` stands for every name below example.org.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        names = [name.lower().rstrip(".") for name in names]
        self._names = {"localhost", *(name for name in names if not name.startswith("*."))}
        self._endings = tuple(name[1:] for name in names if name.startswith("*."))
        self._seen = lru_cache(maxsize=1024)(self._serves)  # most callers use the same few

    def check(self, head: Head) -> None:
        """Raises Problem (400) when Host is absent, given twice, malformed, or of another name."""
        given = head.only(b"host")
        if given is None or len(given) > LONGEST or not self._seen(given):
            raise Problem(ProblemType.HOST, REFUSED)

    def _serves(self, host: str) -> bool:
        match = _HOST.fullmatch(host)
        if match is None:
            return False
        name = match["name"].lower().rstrip(".")
        return name in self._names or name.endswith(self._endings) or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
