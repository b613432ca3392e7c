"""A receiver module of one's own: a pager that wants a key to drop repeats by, and answers 202.

Put it into `streams/core/receivers/`, add PAGER to RECEIVERS in registry.py, and set MUTT_RECEIVER=pager. It has no
I/O: the forwarder posts, waits, retries and keeps the order. CONTRIBUTING.md (recipe 9) says what each part must keep.
"""

from __future__ import annotations

from collections.abc import Mapping

from schemas import codec
from schemas.alerts import Alert
from schemas.rules import AlertSeverity
from streams.core.receivers.receiver import Post, Receiver

_URGENT = frozenset({AlertSeverity.CRITICAL, AlertSeverity.MAJOR})


def body(alert: Alert) -> bytes:
    """The same bytes on every attempt; the pager drops what has a `dedup_key` that it knows."""
    return codec.encode(
        {
            "dedup_key": str(alert.id),
            "service": alert.team,
            "urgency": "high" if alert.severity in _URGENT else "low",
            "summary": f"{alert.hostname}: {alert.description}"[:1024],
            "at": alert.occurred_at,
        }
    )


def headers(post: Post) -> Mapping[str, str]:
    """This pager has its own word before the token. `post.identity` is the alert's id."""
    token = {"Authorization": f"Token token={post.token.reveal()}"} if post.token else {}
    return token | {"X-Request-Key": post.identity}


PAGER = Receiver(name="pager", body=body, headers=headers)
