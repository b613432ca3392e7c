"""Moogsoft: the body of its generic webhook. Another receiver is another module like this."""

from __future__ import annotations

import datetime as dt

from schemas import codec
from schemas.alerts import Alert
from schemas.versions import MUTT_VERSION
from streams.core.receivers.receiver import Receiver


def body(alert: Alert) -> bytes:
    """The JSON body, the same bytes on every attempt: nothing in it depends on when it is sent."""
    return codec.encode(
        {
            "signature": alert.signature,
            "source_id": alert.hostname,
            "external_id": str(alert.id),
            "manager": "MUTT",
            "source": "MUTT Alerter",
            "class": alert.team,
            "agent": f"MUTT {MUTT_VERSION}",
            "agent_location": "Alerter Service",
            "type": "Alert",
            "severity": alert.severity.number,
            "description": alert.description,
            "agent_time": _seconds(alert.occurred_at),
            "custom_info": _custom_info(alert),
        }
    )


def _custom_info(alert: Alert) -> dict[str, object]:
    return {
        "event": alert.event,
        "event_id": alert.event_id,
        "correlation_id": alert.correlation_id,
        "rule_id": alert.rule_id,
        "rule_version": alert.rule_version,
        "handling": alert.handling,
        "topic": alert.topic,
        "partition": alert.partition,
        "offset": alert.offset,
    }


def _seconds(moment: str) -> int:
    """Whole seconds since the epoch of the RFC 3339 text that the alert carries."""
    return int(dt.datetime.fromisoformat(moment).timestamp())


MOOGSOFT = Receiver(name="moogsoft", body=body)
