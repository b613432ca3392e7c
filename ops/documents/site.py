"""A hook of MkDocs: links out of docs/ become the names of those files, which are not on the site."""

from __future__ import annotations

import posixpath
import re
from typing import Any

_LINK = re.compile(r"\[([^\]]+)\]\(([^)#\s:]+)(#[^)]*)?\)")


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """MkDocs asks this for every page."""
    return without_links_out(markdown, page.file.src_uri)


def without_links_out(markdown: str, source: str) -> str:
    """The text of the page that lies at this path below docs/, without links to what lies elsewhere, or is a folder."""

    def told(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), link[2]))
        inside = not target.startswith("..") and not link[2].endswith("/")
        return link[0] if inside else f"{link[1]} (`{target.removeprefix('../')}`)"

    return _LINK.sub(told, markdown)
