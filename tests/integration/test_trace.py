"""`mutt trace` against real tables and a real log."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import Any

import pytest

from schemas.dead_letters import Reason
from streams.adapters.dead_letters import DeadLetters
from tests.builders import dead_letter
from tests.integration.commands import mutt, produce
from tests.integration.test_ledger import THEN, TOPIC, alert_row, audit_row, ledger_row, progress

pytestmark = pytest.mark.integration


async def trace(database: Any, broker: Any, event: str, *arguments: str) -> Any:
    return await asyncio.to_thread(mutt, database, broker, "trace", event, *arguments)


async def test_one_event_from_record_to_alert_and_letters(database: Any, broker: Any) -> None:
    produce(broker, TOPIC, 2, b"zero", b"one\x1b[2J")
    await progress(database, 2)
    await ledger_row(database, 0, 2, alerted=1, audited=1, alerts=1)
    await database.pool.execute(
        "INSERT INTO alert_rules (id, match_string, prod_handling, dev_handling)"
        " VALUES (7, 'one', 'Page_only', 'Log_only')"
    )
    alert = uuid.uuid4()
    await audit_row(database, 1, alert_id=alert, rule_id=7, rule_version=1)
    await alert_row(database, alert, 1)
    letter = dead_letter(reason=Reason.DELIVERY, topic="mutt.alerts", offset=40, alert_id=alert)
    await DeadLetters(database.pool).insert_absent([letter], THEN)

    done = await trace(database, broker, f"{TOPIC}:2:1", "--json")
    assert done.returncode == 0, done.stderr
    body = json.loads(done.stdout)
    assert body["verdict"] == "alerted"
    assert body["record"]["value"] == {"text": "one\x1b[2J"}
    assert (body["audit"][0]["rule_id"], body["audit"][0]["rule_version"]) == (7, 1)
    assert body["rules"][0]["body"]["match_string"] == "one"
    assert (body["alerts"][0]["attempts"], body["alerts"][0]["last_status"]) == (2, 503)
    assert [one["id"] for one in body["dead_letters"]] == [str(letter.id)]
    assert body["ledger"][0]["next_offset"] == 2

    text = await trace(database, broker, str(alert))
    assert text.returncode == 0, text.stderr
    assert "rule      7 version 1 contains one" in text.stdout
    assert "\x1b" not in text.stdout


async def test_events_without_rows_of_their_own(database: Any, broker: Any) -> None:
    produce(broker, TOPIC, 2, b"zero", b"one")
    unread = await trace(database, broker, f"{TOPIC}:2:0")
    assert "its partition was never read" in unread.stdout
    await progress(database, 1)
    await ledger_row(database, 0, 1)
    counted = await trace(database, broker, f"{TOPIC}:2:0")
    assert (counted.returncode, "processed, but only counted: ledger row [0, 1)" in counted.stdout) == (0, True)
    waiting = await trace(database, broker, f"{TOPIC}:2:1")
    assert (waiting.returncode, "not processed yet: the partition stands at 1" in waiting.stdout) == (0, True)


async def test_what_is_not_found_is_one_line_and_status_1(database: Any, broker: Any) -> None:
    for event in (f"{TOPIC}:2:5", f"{TOPIC}:99:5", "orders:0:5", str(uuid.uuid4())):
        done = await trace(database, broker, event)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
