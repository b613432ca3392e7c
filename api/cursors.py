"""Cursors: where the next page of a list begins, sealed, so that a caller can only hand one back as it is."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
import hmac
from collections.abc import Callable, Sequence

import msgspec

from api.problem_types import ProblemType
from api.problems import Fault, Problem
from schemas.secrets import is_among
from streams.core.paging import Place

LIFE = dt.timedelta(hours=24)
LONGEST = 4096
"""Characters of a cursor that is looked at."""

ALTERED = "cursor was altered, or belongs to another query"
EXPIRED = "cursor has expired; begin again without one"

_MAC_BYTES = 16


class _Sealed(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """What a cursor holds beside its MAC."""

    until: int
    """Seconds since the epoch."""
    place: list[str | int]


class Cursors:
    """Seals with the first of the keys, opens with each; the same query must have the same digest."""

    def __init__(
        self, keys: Callable[[], Sequence[bytes]], now: Callable[[], dt.datetime], life: dt.timedelta = LIFE
    ) -> None:
        self._keys = keys
        self._now = now
        self._life = life

    def seal(self, query_digest: bytes, place: Place) -> str:
        """The cursor of a place in the list that this query gives."""
        return sealed(self._keys()[0], query_digest, place, until=self._now() + self._life)

    def open(self, text: str, query_digest: bytes) -> Place:
        """The place. Raises Problem (400) for what is altered, expired or of another query."""
        return opened(self._keys(), query_digest, text, now=self._now())


def digest_of(path: str, asked: Sequence[tuple[str, object]]) -> bytes:
    """The digest of a query: its path, and the values of all that decides which rows there are, and in which order."""
    return hashlib.sha256(msgspec.json.encode([path, [[name, value] for name, value in asked]])).digest()


def sealed(key: bytes, query_digest: bytes, place: Place, *, until: dt.datetime) -> str:
    """A cursor that is good until then: letters, digits, dash and underscore."""
    content = msgspec.json.encode(_Sealed(int(until.timestamp()), list(place)))
    return base64.urlsafe_b64encode(_mac(key, query_digest, content) + content).decode().rstrip("=")


def opened(keys: Sequence[bytes], query_digest: bytes, text: str, *, now: dt.datetime) -> Place:
    """What `sealed` was given. Raises Problem (400)."""
    raw = _decoded(text)
    mac, content = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
    if not is_among(mac, (_mac(key, query_digest, content) for key in keys)):
        raise _refused(ALTERED)
    found = msgspec.json.decode(content, type=_Sealed)
    if now.timestamp() >= found.until:
        raise _refused(EXPIRED)
    return found.place


def _decoded(text: str) -> bytes:
    """The bytes of a cursor; each has one spelling. What is none gives bytes that no MAC fits."""
    try:
        raw = (
            base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            if len(text) <= LONGEST
            else b""
        )
    except (binascii.Error, ValueError):
        return b""
    return raw if base64.urlsafe_b64encode(raw).decode().rstrip("=") == text else b""


def _mac(key: bytes, query_digest: bytes, content: bytes) -> bytes:
    digest = hashlib.sha256(query_digest).digest()  # of one length, so that nothing moves between it and the content
    return hmac.digest(key, b"mutt cursor\0" + digest + content, "sha256")[:_MAC_BYTES]


def _refused(detail: str) -> Problem:
    return Problem(ProblemType.CURSOR, detail, errors=[Fault(detail, parameter="cursor")])
