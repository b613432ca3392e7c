"""Why something is changed: a member of the body, and for requests without one a parameter."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct
from starlette.requests import Request

from api import bodies
from api.queries import QueryReader, text_up_to
from api.routes import MOST_BODY, Parameter

LONGEST_REASON = 1000

Reason = Annotated[str, Meta(max_length=LONGEST_REASON, pattern="^[^\\x00]*$", description="Why, for the audit.")]
WHY = Parameter("reason", "Why, for the audit.", Annotated[str, text_up_to(LONGEST_REASON)])


class ReasonAlone(Struct, forbid_unknown_fields=True):
    """The body that a DELETE of v1 may have."""

    reason: Reason | None = None


def reason_asked(request: Request) -> str | None:
    """Of a request whose only parameter it is. Raises Invalid."""
    reader = QueryReader(request.query_params)
    reason = reader.text("reason", longest=LONGEST_REASON)
    reader.finish()
    return reason


async def reason_sent(request: Request) -> str | None:
    """Of a DELETE of v1. Raises Problem."""
    body = await bodies.bounded(request, MOST_BODY)
    return bodies.typed(bodies.parsed(body), ReasonAlone, ignored=("id",)).reason if body else None
