"""docs/API.md: every line at a prompt is run against the API as a process, on real servers."""

from __future__ import annotations

import asyncio
import datetime as dt
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from ops.devstack.layout import free_port
from ops.devstack.stack import Stack
from schemas.rows import AUDIT
from tests.architecture.documents import ROOT
from tests.integration.api_process import process
from tests.integration.conftest import Database
from tests.integration.walkthrough import steps, steps_of, walk
from tests.programs import bare_environment

GUIDE = ROOT / "docs" / "API.md"


async def test_every_line_of_the_walk_through_does_what_it_says(
    broker: Stack, database: Database, tmp_path: Path
) -> None:
    await given(database)
    settings = replace(database.settings, api_port=free_port())
    with process(settings):
        environment = bare_environment() | settings.to_env()
        outcomes = await asyncio.to_thread(walk, steps(GUIDE), environment, tmp_path)
    assert len(outcomes) > 10
    wrong = [(outcome.step.command, outcome.status, outcome.printed) for outcome in outcomes if not outcome.as_written]
    assert wrong == []


def test_a_line_that_does_something_else_is_noticed(tmp_path: Path) -> None:
    block = (
        "$ X=1\n$ echo $X; cat; printf 'a b'\n1\na …\n$ echo 2\n3\n$ echo 4\n4\n5\n$ false\n$ echo 'a\\\n b'\nab …\n"
    )
    outcomes = walk(steps_of(block), bare_environment(), tmp_path)
    assert [outcome.as_written for outcome in outcomes] == [True, True, False, False, False, False]


async def given(database: Database) -> None:
    """What the guide says is there: one audited event."""
    event: dict[str, Any] = dict.fromkeys(AUDIT) | {
        "topic": "mutt.ingest.syslog",
        "partition": 0,
        "offset": 0,
        "broker_time": dt.datetime.now(dt.UTC),
        "hostname": "core-1",
        "disposition": "alerted",
        "rule_id": 7,
        "handling": "Page_only",
        "alert_id": "0198c0de-0000-7000-8000-000000000001",
        "ruleset_version": 1,
        "message": "link down",
        "raw": b'{"message":"link down"}',
    }
    await database.pool.copy_records_to_table("audit", records=[tuple(event.values())], columns=AUDIT)
