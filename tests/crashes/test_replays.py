"""`mutt dlq replay` dies between any two steps: `--resume` finishes it, and a second copy of a letter has no effect."""

from __future__ import annotations

import asyncio
import datetime as dt

import pytest

from streams.adapters.dead_letters import DeadLetters
from streams.adapters.replay_claims import Replays
from tests.builders import dead_letter, event_json
from tests.crashes.lives import die_at
from tests.crashes.points import POINTS
from tests.integration.commands import mutt
from tests.integration.conftest import System
from tests.integration.pipeline import add_rule, settled, until

pytestmark = pytest.mark.campaign

NOW = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
LETTERS = 5
REPLAY = ("dlq", "replay", "--topic", "mutt.ingest.syslog", "--yes")
SENT = {"replay_recorded": 0, "letters_claimed": 0, "replay_sent": LETTERS, "replay_marked": LETTERS,
        "replay_unfinished": LETTERS}  # fmt: skip
"""Records on the topic when the command has died."""


@pytest.mark.parametrize("name", SENT)
async def test_37_to_41_a_replay_that_died_is_resumed(system: System, name: str) -> None:
    pool = system.database.pool
    await add_rule(pool, "link down", "Log_only")
    letters = [dead_letter(offset=n, value=event_json(message=f"link down {n}")) for n in range(LETTERS)]
    await DeadLetters(pool).insert_absent(letters, NOW)
    await die_at(system, POINTS[name], arguments=REPLAY)
    [replay] = await Replays(pool).recent(1)
    assert (replay.finished_at, await untouched(system)) == (None, LETTERS if name == "replay_recorded" else 0)
    worker = system.start("match-1")
    await settled(pool, system.stack.kafka.bootstrap)
    judged = await replayed(system)
    assert judged == SENT[name]
    resume = ("dlq", "replay", "--resume", str(replay.id), "--yes")
    done = await asyncio.to_thread(mutt, system.database, system.stack, *resume)
    assert done.returncode == 0, done.stderr
    await until(lambda: all_replayed(system), "every letter is judged")
    await settled(pool, system.stack.kafka.bootstrap)
    assert await asyncio.to_thread(worker.stop) == 0, worker.tail()
    audited = await pool.fetch("SELECT replay_of FROM audit")
    assert sorted(row["replay_of"] for row in audited) == sorted(letter.id for letter in letters)
    assert (await Replays(pool).replay(replay.id)).finished_at is not None


async def untouched(system: System) -> int:
    return int(await system.database.pool.fetchval("SELECT count(*) FROM dead_letters WHERE state = 'open'"))


async def replayed(system: System) -> int:
    return int(await system.database.pool.fetchval("SELECT count(*) FROM dead_letters WHERE state = 'replayed'"))


async def all_replayed(system: System) -> bool:
    return await replayed(system) == LETTERS


async def test_39_a_resume_before_the_judgement_sends_twice_and_counts_once(system: System) -> None:
    pool = system.database.pool
    await add_rule(pool, "link down", "Log_only")
    letters = [dead_letter(offset=n, value=event_json(message=f"link down {n}")) for n in range(LETTERS)]
    await DeadLetters(pool).insert_absent(letters, NOW)
    await die_at(system, POINTS["replay_sent"], arguments=REPLAY)
    [replay] = await Replays(pool).recent(1)
    resume = ("dlq", "replay", "--resume", str(replay.id), "--yes")
    done = await asyncio.to_thread(mutt, system.database, system.stack, *resume)
    assert done.returncode == 0, done.stderr
    worker = system.start("match-1")
    await settled(pool, system.stack.kafka.bootstrap)
    assert await asyncio.to_thread(worker.stop) == 0, worker.tail()
    counts = await pool.fetchrow("SELECT sum(logged) AS logged, sum(ignored) AS ignored FROM ledger")
    assert tuple(counts) == (LETTERS, LETTERS)
    assert await replayed(system) == LETTERS
