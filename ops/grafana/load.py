"""Puts the dashboards into a running Grafana; they are there already, as JSON, so this needs no SDK."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from ops.cli.exits import Exit, fail
from schemas.versions import MUTT_VERSION

DASHBOARDS = Path(__file__).parent / "dashboards"
FOLDER = "mutt"
ANSWERS_WITHIN_S = 30.0

_EXISTS = (409, 412)


def load(url: str, token: str) -> list[str]:
    """Makes the folder where it is missing, and each dashboard anew. Returns their titles.

    Raises Failed with the status of a command, where nobody answers or Grafana says no.
    """
    if not url.startswith(("http://", "https://")):
        fail(Exit.USAGE, f"{url}: no address that begins with http:// or https://")
    if not (token.isascii() and token.isprintable() and token) or " " in token:
        fail(Exit.BAD_DATA, "the file of the token holds no token, which is one word")
    grafana = _Grafana(url.rstrip("/"), token)
    grafana.post("/api/folders", {"uid": FOLDER, "title": FOLDER}, tolerated=_EXISTS)
    titles = []
    for file in sorted(DASHBOARDS.glob("*.json")):
        dashboard = json.loads(file.read_text(encoding="utf-8"))
        message = f"mutt {MUTT_VERSION}"
        body = {"dashboard": dashboard, "folderUid": FOLDER, "overwrite": True, "message": message}
        grafana.post("/api/dashboards/db", body)
        titles.append(dashboard["title"])
    return titles


class _Grafana:
    """One Grafana, asked as the owner of a token."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._opener = urllib.request.build_opener(_Stay)

    def post(self, path: str, body: dict[str, Any], *, tolerated: tuple[int, ...] = ()) -> None:
        request = urllib.request.Request(self._url + path, json.dumps(body).encode(), self._headers)  # noqa: S310 - the operator's own address
        try:
            with self._opener.open(request, timeout=ANSWERS_WITHIN_S):
                pass
        except urllib.error.HTTPError as answer:
            if answer.code not in tolerated:
                fail(Exit.USAGE, f"{self._url}{path}: {answer.code} {_words(answer)}")
        except OSError as error:
            fail(Exit.UNAVAILABLE, f"{self._url}: {error}")


class _Stay(urllib.request.HTTPRedirectHandler):
    """A token goes to the address that was named and to no other."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _words(answer: urllib.error.HTTPError) -> str:
    """What Grafana said, short."""
    return answer.read(400).decode("utf-8", "replace")
