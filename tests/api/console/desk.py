"""A browser of the console without a browser: signs in, follows its cookies, sends forms as a page of it would."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import unescape
from html.parser import HTMLParser
from typing import Any

import httpx2
from starlette.types import ASGIApp

from api.console.rendering import POLICY

TOKEN = re.compile(r'name="token" value="([0-9a-f]+)"')
SITE = "http://localhost"


class Desk:
    """Every answer is checked for what every page of the console must have."""

    def __init__(self, app: ASGIApp, base_url: str = SITE) -> None:
        transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
        hooks: Any = {"response": [_check]}
        self.client = httpx2.AsyncClient(transport=transport, base_url=base_url, event_hooks=hooks)

    async def sign_in(self, key: str = "", to: str = "/ui") -> httpx2.Response:
        return await self.send("/ui/sign-in", {"key": key, "to": to})

    async def page(self, path: str, status: int = 200) -> str:
        answer = await self.client.get(path)
        assert answer.status_code == status, answer.text
        return answer.text

    async def send(self, path: str, fields: Mapping[str, str], **headers: str) -> httpx2.Response:
        """As a form of this site."""
        return await self.client.post(path, data=dict(fields), headers={"Origin": SITE} | headers)

    async def fill(self, page: str, path: str, status: int = 303, **fields: str) -> httpx2.Response:
        """Sends a form that stands on the page at this address, with its hidden fields and those given."""
        answer = await self.send(path, hidden_fields(await self.page(page), path) | fields)
        assert answer.status_code == status, answer.text
        return answer


class Read(HTMLParser):
    """A page as a browser reads it: its texts, what must not be in it, and what its reader cannot use."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.faults: list[str] = []
        self.texts: list[str] = []
        self.tags: list[str] = []
        self._labelled: set[str] = set()
        self._fields: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        if tag == "script" and not given.get("src", "").startswith("/ui/static/"):
            self.faults.append("a script that is no file of ours")
        self.faults += [f"{tag} has {name}" for name in given if name.startswith("on") or name == "style"]
        addresses = [given[name] for name in ("href", "src", "action", "formaction") if name in given]
        self.faults += [
            f"{tag} leads to {one}" for one in addresses if not one.startswith(("/ui", "/api/docs", "#", "?"))
        ]
        if tag == "label":
            self._labelled.add(given["for"])
        if tag in ("input", "select", "textarea") and given.get("type") != "hidden":
            self._fields.add(given["id"])

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def end(self) -> Read:
        self.close()
        self.faults += [f"{one} has no label" for one in sorted(self._fields - self._labelled)]
        self.faults += [
            f"{self.tags.count(one)} times {one}" for one in ("title", "h1", "main") if self.tags.count(one) != 1
        ]
        return self


def read(page: str) -> Read:
    found = Read()
    found.feed(page)
    return found.end()


def hidden_fields(page: str, action: str) -> dict[str, str]:
    """Of the form that is posted to this address."""
    begins = f' method="post" action="{action}"'
    form = next(one for one in page.split("<form")[1:] if one.startswith(begins)).partition("</form>")[0]
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', form)
    return {name: unescape(value) for name, value in found}


async def _check(answer: httpx2.Response) -> None:
    await answer.aread()
    if answer.headers.get("content-type", "").startswith("text/html"):
        assert answer.headers["content-security-policy"] == POLICY
        assert answer.headers["cache-control"] == "no-store"
        assert read(answer.text).faults == []
