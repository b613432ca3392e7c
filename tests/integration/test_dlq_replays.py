"""Replays that are interrupted, resumed or run by two at once: every letter goes out, none twice by two hands."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import signal
from collections import Counter
from typing import Any

import pytest

from schemas.dead_letters import LetterState
from streams.adapters.dead_letters import DeadLetters
from streams.adapters.locks import lock_key, try_lock
from streams.adapters.replay_claims import Replays
from tests.builders import dead_letter, event_json
from tests.integration.commands import mutt, read_from, start_mutt
from tests.integration.conftest import System
from tests.integration.pipeline import until
from tests.programs import Command, text

pytestmark = pytest.mark.integration

NOW = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
TOPIC, PARTITION = "mutt.ingest.syslog", 4
REPLAY = ("dlq", "replay", "--topic", TOPIC, "--yes", "--json")


async def add(database: Any, count: int) -> list[str]:
    letters = [dead_letter(offset=n, partition=PARTITION, value=event_json(message=f"m {n}")) for n in range(count)]
    await DeadLetters(database.pool).insert_absent(letters, NOW)
    return [str(letter.id) for letter in letters]


def sent(broker: Any) -> list[str]:
    """The ids of the letters on the topic, in its order."""
    return [dict(headers)["mutt.dlq.id"].decode() for _, _, headers in read_from(broker, TOPIC, PARTITION, 0)]


def end(command: Command) -> tuple[int, str, str]:
    done = text(command.end())
    return done.returncode, done.stdout, done.stderr


COUNT = 200
"""At 20 a second they take ten: long enough that Ctrl-C comes in the middle."""


async def test_ctrl_c_stops_a_replay_and_resume_finishes_it(system: System) -> None:
    pool = system.database.pool
    letters = await add(system.database, COUNT)
    running = start_mutt(system.database, system.stack, *REPLAY, "--rate", "5")

    async def under_way() -> object:
        return await pool.fetchval("SELECT sent >= 5 FROM replays")

    await until(under_way, "the replay is under way")
    running.send_signal(signal.SIGINT)
    status, _, errors = await asyncio.to_thread(end, running)
    [replay] = await Replays(pool).recent(1)
    assert (status, replay.finished_at) == (130, None), errors
    assert errors == f"mutt: stopped; go on with: mutt dlq replay --resume {replay.id}\n"
    assert 5 <= replay.sent < COUNT

    done = await asyncio.to_thread(
        mutt, system.database, system.stack, "dlq", "replay", "--resume", str(replay.id), "--yes", "--json"
    )
    assert done.returncode == 0, done.stderr
    on_topic = sent(system.stack)
    assert set(on_topic) == set(letters)
    assert list(dict.fromkeys(on_topic)) == letters

    system.start("match-1")

    async def judged() -> object:
        return await pool.fetchval("SELECT count(*) = $1 FROM dead_letters WHERE state = 'replayed'", COUNT)

    await until(judged, "all are judged")
    counts = await pool.fetchrow(
        "SELECT sum(unhandled) AS judged, sum(ignored) AS copies FROM ledger WHERE topic = $1", TOPIC
    )
    assert tuple(counts) == (COUNT, len(on_topic) - COUNT)
    assert await pool.fetchval("SELECT count(DISTINCT replay_of) FROM audit") == COUNT
    assert await pool.fetchval("SELECT count(*) FROM audit") == COUNT


async def test_two_operators_at_once_send_every_letter_once(database: Any, broker: Any) -> None:
    letters = await add(database, 120)
    both = [start_mutt(database, broker, *REPLAY, "--rate", "40") for _ in range(2)]
    results = await asyncio.gather(*(asyncio.to_thread(end, one) for one in both))
    assert [status for status, _, _ in results] == [0, 0], results
    assert sum(json.loads(out)["sent"] for _, out, _ in results) == 120
    assert Counter(sent(broker)) == Counter(letters)
    recorded = await Replays(database.pool).recent(5)
    assert sum(one.sent for one in recorded) == 120
    listed = await asyncio.to_thread(mutt, database, broker, "dlq", "replays", "--json")
    assert len(json.loads(listed.stdout)["replays"]) == 2


async def test_a_replay_is_resumed_by_one_at_a_time(database: Any, broker: Any) -> None:
    await add(database, 3)
    done = await asyncio.to_thread(mutt, database, broker, *REPLAY)
    [replay] = json.loads(done.stdout)["replays"]
    resume = ("dlq", "replay", "--resume", replay, "--yes", "--json")
    [record] = await Replays(database.pool).recent(1)
    async with try_lock(database.pool, lock_key("replay", record.id)) as ours:
        assert ours
        refused = await asyncio.to_thread(mutt, database, broker, *resume)
    assert (refused.returncode, "being run just now" in refused.stderr) == (75, True)
    again = await asyncio.to_thread(mutt, database, broker, *resume)
    assert json.loads(again.stdout)["sent"] == 3


async def test_letters_of_one_key_go_out_in_the_order_of_their_origin(database: Any, broker: Any) -> None:
    letters = await add(database, 250)
    await asyncio.to_thread(mutt, database, broker, *REPLAY)
    assert sent(broker) == letters


async def test_refused_letters_are_named_with_why(database: Any, broker: Any) -> None:
    spent = dead_letter(replays=3, partition=PARTITION)
    table = DeadLetters(database.pool)
    await table.insert_absent([spent], NOW)
    done = await asyncio.to_thread(mutt, database, broker, *REPLAY)
    [named] = json.loads(done.stdout)["refused_letters"]
    assert (named["id"], named["refused"]) == (str(spent.id), "too_often")
    stored = await table.get(spent.id)
    assert stored is not None
    assert (stored.state, stored.parked_at is None) == (LetterState.PARKED, False)
    assert await database.pool.fetchval("SELECT action FROM letter_log") == "parked"
