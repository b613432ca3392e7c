"""What a replay would come to: the rules of now over the value as it would be sent."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from schemas.dead_letters import Reason
from schemas.events import Disposition
from schemas.rules import Handling
from streams.core.letter_verdict import Verdict, verdict
from streams.core.matching import Knowledge
from streams.core.replay import StoredLetter
from tests.builders import dead_letter, event_json, rule, rule_set

KNOWLEDGE = Knowledge.of(
    rule_set(
        rule(id=7, match_string="link down"),
        rule(id=8, match_string="login", prod_handling=Handling.LOG_ONLY),
        rule(id=9, match_string="noise", prod_handling=Handling.IGNORE),
    )
)
ALERT = uuid.uuid4()
LINE = b"<12>1 2026-03-01T12:00:00Z h1 app - - - link down"


def of(*, edited_value: bytes | None = None, **overrides: Any) -> Verdict | None:
    edits = 0 if edited_value is None else 1
    return verdict(StoredLetter(letter=dead_letter(**overrides), edits=edits, edited_value=edited_value), KNOWLEDGE)


@pytest.mark.parametrize(
    ("overrides", "summary", "rule_id"),
    [
        ({"value": event_json(message="link down")}, "alerted", 7),
        ({"value": event_json(message="login")}, "logged", 8),
        ({"value": event_json(message="noise")}, "ignored", 9),
        ({"value": event_json(message="else")}, "unhandled", None),
        ({"value": b"{", "reason": Reason.JSON}, "rejected (json)", None),
        ({"value": b"{", "reason": Reason.JSON, "edited_value": event_json(message="login")}, "logged", 8),
        ({"topic": "mutt.ingest.raw", "value": LINE}, "alerted", 7),
        ({"topic": "mutt.alerts", "reason": Reason.DELIVERY, "alert_id": ALERT}, "delivered again", None),
        ({"timestamp": 10**18}, "rejected (internal_error)", None),
    ],
)
def test_a_verdict_is_what_the_rules_say_now(overrides: dict[str, Any], summary: str, rule_id: int | None) -> None:
    found = of(**overrides)
    assert found is not None
    assert (found.summary, found.rule_id) == (summary, rule_id)


def test_an_alert_has_team_and_severity() -> None:
    found = of(value=event_json(message="link down"))
    assert found is not None
    assert (found.disposition, found.team, found.alert_severity) == (Disposition.ALERTED, "netops", "warning")


@pytest.mark.parametrize("overrides", [{"topic": "orders"}, {"topic": "mutt.dlq"}, {"reason": Reason.DELIVERY}])
def test_what_no_topic_of_ours_takes_has_none(overrides: dict[str, Any]) -> None:
    assert of(**overrides) is None
