"""What a form of the console sent, and whether it was the console that sent it."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request

from api.bodies import bounded
from api.head import Head
from api.problem_types import ProblemType
from api.problems import Problem
from api.routes import MOST_BODY

MOST_FIELDS = 200
LONGEST_NUMBER = 19
FORM = "application/x-www-form-urlencoded"

FOREIGN = "this did not come from a page of the console; open the page again and send it from there"
UNREADABLE = "the form cannot be read"


async def read_form(request: Request) -> Mapping[str, str]:
    """The fields, line ends as `\\n`. Raises Problem: 400, 408, 413, 415."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise Problem(ProblemType.MEDIA_TYPE, f"a form is sent as {FORM}")
    body = await bounded(request, MOST_BODY)
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError:
        raise Problem(ProblemType.MALFORMED, UNREADABLE) from None
    fields = {name: value.replace("\r\n", "\n") for name, value in pairs}
    if len(fields) != len(pairs):
        raise Problem(ProblemType.MALFORMED, UNREADABLE)
    return fields


def whole(form: Mapping[str, str], name: str) -> int:
    """A number that the page put into its form. Raises Problem (400)."""
    text = form.get(name, "")
    if not (text.isascii() and text.isdecimal() and len(text) < LONGEST_NUMBER):
        raise Problem(ProblemType.MALFORMED, UNREADABLE)
    return int(text)


def check_origin(head: Head) -> None:
    """Browsers say where a form comes from, and no page can make them lie. Raises Problem (403)."""
    site, origin = head.only(b"sec-fetch-site"), head.only(b"origin")
    if site not in (None, "same-origin") or origin is None or _place(origin) != (head.only(b"host") or "").lower():
        raise Problem(ProblemType.FORBIDDEN, FOREIGN)


def _place(origin: str) -> str | None:
    """Host and port; the scheme is the proxy's, which ends TLS before us."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None
