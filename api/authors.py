"""The author of a change that a request makes, as the audit names him (I8)."""

from __future__ import annotations

from starlette.requests import Request

from schemas.scopes import Client
from streams.core.authors import Author


def author_of(request: Request, reason: str | None = None) -> Author:
    state = request.state
    return Author(
        actor=_actor(state.client),
        reason=reason,
        client_id=state.client.id,
        correlation_id=state.correlation_id,
        request_id=state.request_id,
        hold=getattr(state, "hold", None),
    )


def _actor(client: Client) -> str:
    """Id and name: ids are for programs, names for people."""
    return f"api:{client.id}" if client.name in ("", client.id) else f"api:{client.id} ({client.name})"
