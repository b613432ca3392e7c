"""A third receiver, as one would be added: a chat room whose answers are 200 with a verdict in the body."""

from __future__ import annotations

import json
from collections.abc import Mapping

from schemas import codec
from schemas.alerts import Alert
from schemas.rules import AlertSeverity
from streams.core.delivery import Answer, DeliveryReason, Kind, Outcome
from streams.core.receivers.receiver import Post, Receiver, by_status

_COLOURS = {AlertSeverity.CRITICAL: "red", AlertSeverity.MAJOR: "red", AlertSeverity.WARNING: "amber"}
_PASSING = frozenset({"busy", "flood"})


def body(alert: Alert) -> bytes:
    """One line for people; the key lets the room drop repeats."""
    return codec.encode(
        {
            "key": str(alert.id),
            "room": alert.team,
            "colour": _COLOURS.get(alert.severity, "grey"),
            "text": f"{alert.hostname}: {alert.description}",
        }
    )


def headers(post: Post) -> Mapping[str, str]:
    """This room has its own header for the token, and no signatures."""
    token = {"X-Room-Key": post.token.reveal()} if post.token else {}
    return token | {"Idempotency-Key": post.identity}


def judge(answer: Answer) -> Outcome:
    """Below 500 the word in the body counts, not the status."""
    by_table = by_status(answer)
    if by_table.kind is not Kind.DELIVERED:
        return by_table
    problem = _problem(answer.text)
    if problem is None:
        return by_table
    return Outcome(Kind.RETRY if problem in _PASSING else Kind.DEAD, DeliveryReason.HTTP)


def _problem(text: str) -> str | None:
    """The room's word for what is wrong; an answer that cannot be read is taken as said by its status."""
    try:
        answer = json.loads(text)
    except ValueError:
        return None
    return str(answer["error"]) if isinstance(answer, dict) and "error" in answer else None


TOY = Receiver(name="toy", body=body, headers=headers, judge=judge)
