"""What a receiver of alerts is: the body of a post, its headers, and what its answers mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from schemas.alerts import Alert
from schemas.secrets import Secret
from streams.core.delivery import Answer, Outcome, classify
from streams.core.signing import signed_headers


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One post that is about to go out, for its headers."""

    identity: str
    """Of the alert: the same on every attempt."""
    timestamp: int
    """Whole seconds since the epoch; of this attempt."""
    body: bytes
    token: Secret | None = None
    """What the receiver knows us by, where there is one."""
    signing_keys: tuple[bytes, ...] = ()
    """None, one, or two while one replaces the other."""


def standard_headers(post: Post) -> Mapping[str, str]:
    """The token as a bearer, and the three headers of Standard Webhooks."""
    bearer = {"Authorization": f"Bearer {post.token.reveal()}"} if post.token else {}
    return bearer | signed_headers(post.identity, post.timestamp, post.body, post.signing_keys)


def by_status(answer: Answer) -> Outcome:
    """The table of statuses and faults (DESIGN section 8)."""
    return classify(answer.status, answer.fault)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """One kind of receiver. All three functions are pure and raise nothing."""

    name: str
    """What MUTT_RECEIVER says, and the label of its circuit breaker."""
    body: Callable[[Alert], bytes]
    """The same bytes on every attempt: nothing in them depends on when they are sent."""
    headers: Callable[[Post], Mapping[str, str]] = standard_headers
    """Beside the fixed ones (User-Agent, Accept, Content-Type: application/json), which these may replace."""
    judge: Callable[[Answer], Outcome] = by_status
    """Delivered, to be tried again, or final. A fault must never be final: it says nothing about the alert."""
