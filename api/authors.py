"""The author of a change that a request makes, as the audit names him (I8)."""

from __future__ import annotations

from starlette.requests import Request

from streams.core.authors import Author


def author_of(request: Request, reason: str | None = None) -> Author:
    state = request.state
    return Author(
        actor=f"api:{state.client.id}",
        reason=reason,
        client_id=state.client.id,
        correlation_id=state.correlation_id,
        request_id=state.request_id,
    )
