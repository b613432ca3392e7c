"""Sessions: who presented a valid key in the browser, kept in a sealed cookie; in a table are only those that ended."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from secrets import token_hex
from typing import Protocol

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api.auth import DEVELOPMENT, HOLDER, Authenticator
from api.gate import Now
from schemas.scopes import Client
from schemas.secrets import LiveSecrets, Secret, is_among
from streams.core.api_keys import parse_key
from streams.core.ended_sessions import EndedSessions

IDLE = dt.timedelta(minutes=15)
LONGEST = dt.timedelta(hours=8)
RENEWED_AFTER = dt.timedelta(minutes=1)

LOCAL_COOKIE = "mutt_console"
COOKIE = "__Host-mutt_console"
"""Browsers keep it for this host alone, and take it over TLS alone."""
LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})

_MAC_BYTES = 32
_LONGEST_COOKIE = 1024


SealKeys = Callable[[], tuple[bytes, ...]]
"""The first seals, each opens: two while one replaces the other."""


class KeyHolders(Authenticator, Protocol):
    """Knows clients by their keys, and knows them again."""

    async def again(self, name: str) -> Client | None:
        """The client whose key had this id, where it still opens. Raises Unavailable; the caller does not retry."""


class Session(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One browser. `name` is the id of a key, or of a client that needs no stored one; times are Unix seconds."""

    id: str
    name: str
    born: int
    seen: int


@dataclass(frozen=True, slots=True)
class Entered:
    """A session, and what its holder may do now."""

    session: Session
    client: Client


class Sessions:
    """A session ends when it is ended, was idle, is old, or its key ends; what it may do is what its key may do now."""

    def __init__(self, keys: KeyHolders, ended: EndedSessions, seals: SealKeys, now: Now) -> None:
        self._keys = keys
        self._ended = ended
        self._seals = seals
        self._now = now

    async def enter(self, presented: Secret | None, address: str) -> Entered | None:
        """A new session; None for a key that does not open. Raises Unavailable, Problem (429)."""
        client = await self._keys.client_of(presented, address)
        if client is None:
            return None
        at = int(self._now().timestamp())
        return Entered(Session(token_hex(16), _name_of(client, presented), at, at), client)

    async def of(self, request: Request) -> Entered | None:
        """Whose request it is. Raises Unavailable."""
        session = self._opened(request.cookies.get(cookie_name(request), ""))
        if session is None:
            return None
        client = await self._client_of(session)
        return Entered(session, client) if client is not None else None

    async def lasts(self, session: Session) -> bool:
        """Whether what a session began to read may go on. Raises Unavailable."""
        return await self._client_of(session) is not None

    async def end(self, session: Session) -> None:
        """For every process, whoever has a copy of the cookie. Raises Unavailable."""
        until = dt.datetime.fromtimestamp(session.born, dt.UTC) + LONGEST
        await self._ended.end(session.id, until)

    async def _client_of(self, session: Session) -> Client | None:
        if self._over(session) or await self._ended.is_ended(session.id):
            return None
        return await self._keys.again(session.name)

    def is_due(self, session: Session) -> bool:
        """Whether its cookie should say again that it was not idle."""
        return self._now().timestamp() - session.seen >= RENEWED_AFTER.total_seconds()

    def keep(self, request: Request, response: Response, session: Session) -> None:
        """Gives the browser the session, seen now."""
        value = self._sealed(Session(session.id, session.name, session.born, int(self._now().timestamp())))
        _set_cookie(request, response, value, int(LONGEST.total_seconds()))

    def forget(self, request: Request, response: Response) -> None:
        _set_cookie(request, response, "", 0)

    def token(self, session: Session) -> str:
        """What every form of this session carries, and no other site can know."""
        return _token(self._seals()[0], session)

    def knows_token(self, session: Session, token: str) -> bool:
        return is_among(token.encode("utf-8", "replace"), (_token(key, session).encode() for key in self._seals()))

    def _over(self, session: Session) -> bool:
        now = self._now().timestamp()
        return now - session.seen >= IDLE.total_seconds() or now - session.born >= LONGEST.total_seconds()

    def _sealed(self, session: Session) -> str:
        content = msgspec.json.encode(session)
        return base64.urlsafe_b64encode(_mac(self._seals()[0], content) + content).decode().rstrip("=")

    def _opened(self, text: str) -> Session | None:
        try:
            raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)) if len(text) <= _LONGEST_COOKIE else b""
        except (binascii.Error, ValueError):
            return None
        mac, content = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        if not is_among(mac, (_mac(key, content) for key in self._seals())):
            return None
        return msgspec.json.decode(content, type=Session)


def session_keys(own: SealKeys, single: LiveSecrets) -> SealKeys:
    """What seals cookies: others once the single key of the secrets is another."""
    return lambda: tuple(
        hmac.digest(key, b"mutt console\0" + holder, "sha256")
        for key in own()
        for holder in [one.reveal().encode() for one in single()] or [b""]
    )


def _token(key: bytes, session: Session) -> str:
    return hmac.digest(key, b"form\0" + session.id.encode(), "sha256").hex()


def _mac(key: bytes, content: bytes) -> bytes:
    return hmac.digest(key, b"session\0" + content, "sha256")


def is_local(request: Request) -> bool:
    """Whether the browser asks its own machine, where there is no TLS and no way to listen."""
    host = request.headers.get("host", "")
    name = host[: host.rindex("]") + 1] if host.startswith("[") and "]" in host else host.partition(":")[0]
    return name.lower() in LOCAL_HOSTS


def cookie_name(request: Request) -> str:
    return LOCAL_COOKIE if is_local(request) else COOKIE


def _set_cookie(request: Request, response: Response, value: str, age_s: int) -> None:
    local = is_local(request)
    response.set_cookie(
        cookie_name(request), value, max_age=age_s, path="/", secure=not local, httponly=True, samesite="strict"
    )


def _name_of(client: Client, presented: Secret | None) -> str:
    if client in (DEVELOPMENT, HOLDER) or presented is None:
        return client.id
    parsed = parse_key(presented.reveal())
    assert parsed is not None
    return parsed.id
