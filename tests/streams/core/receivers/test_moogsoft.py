"""The body for Moogsoft: every field of the table, the same bytes each time."""

from __future__ import annotations

import json
import uuid

from schemas.rules import AlertSeverity
from schemas.versions import MUTT_VERSION
from streams.core.receivers.moogsoft import body
from tests.builders import alert

ID = uuid.UUID("6f1d4c1e-6a53-5b8e-9b57-0c6d75747421")


def test_every_field_of_the_table() -> None:
    one = alert(
        id=ID,
        hostname="core-1",
        team="netops",
        severity=AlertSeverity.CRITICAL,
        signature="core-1::7::linkd",
        description="link down\r\nX-Evil: 1",
        occurred_at="2026-03-01T12:00:00.9+01:00",
        event={"hostname": "core-1", "message": "link down"},
    )
    assert json.loads(body(one)) == {
        "signature": "core-1::7::linkd",
        "source_id": "core-1",
        "external_id": str(ID),
        "manager": "MUTT",
        "source": "MUTT Alerter",
        "class": "netops",
        "agent": f"MUTT {MUTT_VERSION}",
        "agent_location": "Alerter Service",
        "type": "Alert",
        "severity": 5,
        "description": "link down\r\nX-Evil: 1",
        "agent_time": 1772362800,
        "custom_info": {
            "event": {"hostname": "core-1", "message": "link down"},
            "event_id": "mutt.ingest.syslog:0:7",
            "correlation_id": "mutt.ingest.syslog:0:7",
            "rule_id": 1,
            "rule_version": 1,
            "handling": "Page_and_ticket",
            "topic": "mutt.ingest.syslog",
            "partition": 0,
            "offset": 7,
        },
    }


def test_severities_are_numbers_from_clear_to_critical() -> None:
    numbers = [json.loads(body(alert(severity=severity)))["severity"] for severity in AlertSeverity]
    assert numbers == [0, 1, 2, 3, 4, 5]


def test_the_same_alert_gives_the_same_bytes() -> None:
    assert body(alert(id=ID)) == body(alert(id=ID))
