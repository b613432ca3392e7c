"""Idempotency-Key: a POST that is sent again gets the answer it got, and nothing happens twice."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import uuid
from dataclasses import dataclass, field
from typing import Protocol

KEPT = dt.timedelta(hours=24)
LEASE = dt.timedelta(seconds=60)
"""So long a request may run; one that died is taken over by the next with its key after that."""
ASK_AGAIN_S = 1

_KEY = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """What one key stands for: of one client, one request."""

    client: str
    key: str
    request: str
    """Method, path and query."""
    body_sha256: bytes


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What was answered."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Begun:
    """The request runs now, for the first time or in the place of one that died; only this lease may settle it."""

    lease: uuid.UUID


@dataclass(frozen=True, slots=True)
class InFlight:
    """The same request is in hand."""

    retry_after_s: int = ASK_AGAIN_S


@dataclass(frozen=True, slots=True)
class AnswerLost:
    """It was done by one that died before its answer was kept; it is not done again."""


@dataclass(frozen=True, slots=True)
class OtherRequest:
    """The key was used for something else."""


@dataclass(frozen=True, slots=True)
class KeptRequest:
    """What is stored under a key."""

    request: str
    body_sha256: bytes
    answer: KeptAnswer | None
    """None while it is in flight."""
    lost: bool = False
    """Done, and its time to keep an answer is over."""


Verdict = Begun | KeptAnswer | InFlight | AnswerLost | OtherRequest


class IdempotencyStore(Protocol):
    """Keys and answers. Every method answers within seconds or raises StoreUnavailable; the caller does not retry."""

    async def begin(self, asked: KeyedRequest) -> Verdict:
        """Takes the key, or says why not. Of any number at once, one begins."""

    async def settle(self, asked: KeyedRequest, lease: uuid.UUID, answer: KeptAnswer) -> None:
        """Keeps the answer. Changes nothing where the lease is another's by now."""

    async def release(self, asked: KeyedRequest, lease: uuid.UUID) -> None:
        """It failed: the next with this key begins anew, unless something was done under its `Hold`."""


def is_key(text: str) -> bool:
    """1 to 255 visible ASCII characters."""
    return _KEY.fullmatch(text) is not None


def keyed(client: str, key: str, request: str, body: bytes) -> KeyedRequest:
    return KeyedRequest(client, key, request, hashlib.sha256(body).digest())


def verdict_on(asked: KeyedRequest, kept: KeptRequest) -> Verdict:
    """For a key that is taken."""
    if (kept.request, kept.body_sha256) != (asked.request, asked.body_sha256):
        return OtherRequest()
    return kept.answer or (AnswerLost() if kept.lost else InFlight())
