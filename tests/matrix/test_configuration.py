"""Ten thousand rules come while events pour in: they are compiled beside the lanes, and decide as a whole."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest

from tests.integration.commands import start_mutt
from tests.integration.pipeline import ask
from tests.matrix.ground import Ground

RULES = 10_000
SHARE = 4
"""An answer takes a small part of the time of taking them in; compiled in the loop they would take all of it."""


@pytest.mark.campaign
@pytest.mark.proves("configuration.slow")
async def test_ten_thousand_rules_are_taken_in_while_events_go_on(ground: Ground, tmp_path: Path) -> None:
    file = tmp_path / "rules.jsonl"
    file.write_text("".join(_rule(number) for number in range(RULES)))
    ground.start("match-1")
    async with ground.under_load():
        command = start_mutt(ground.system.database, ground.stack, "rules", "import", str(file), "--yes")
        slowest, first = 0.0, time.monotonic()
        while await ground.reads("match-1", "mutt_alerter_cache_rules_count") < RULES:
            began = time.monotonic()
            status, _ = await asyncio.to_thread(ask, ground.ports["match-1"], "/health")
            slowest = max(slowest, time.monotonic() - began)
            assert status == 200
        assert slowest < (time.monotonic() - first) / SHARE
        done = await asyncio.to_thread(command.end)
        assert done.returncode == 0, done.stderr
        await ground.goes_on()


def _rule(number: int) -> str:
    """A text of its own, one in twenty a pattern, which matches nothing that comes."""
    kind, text = ("regex", f"never seen {number} (up|down)") if number % 20 == 0 else ("contains", f"unseen {number}")
    return json.dumps({"match_string": text, "match_type": kind, "prod_handling": "Page_only"}) + "\n"
