"""Dead letters on the real PostgreSQL and Kafka: stored, claimed once, replayed byte for byte."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import uuid
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from schemas.dead_letters import DeadLetter, LetterState, Reason
from streams.adapters.dead_letters import DeadLetters
from streams.adapters.exact_producer import producer_options, send_exact
from streams.adapters.letter_groups import letter_groups
from streams.adapters.replay_claims import Replays
from streams.core.letter_groups import GroupBy
from streams.core.replay import LetterFilter, ReplayPolicy
from tests.builders import dead_letter, event_json
from tests.integration.commands import log_end, mutt, read_from
from tests.integration.pipeline import add_rule

pytestmark = pytest.mark.integration

NOW = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
SHED = LetterFilter(reasons=(Reason.SHED,))


async def store(database: Any, *letters: DeadLetter) -> DeadLetters:
    table = DeadLetters(database.pool)
    await table.insert_absent(letters, NOW)
    return table


async def replay(database: Any, broker: Any, *arguments: str) -> dict[str, Any]:
    done = await asyncio.to_thread(mutt, database, broker, "dlq", "replay", *arguments, "--yes", "--json")
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


async def state(table: DeadLetters, letter: DeadLetter) -> LetterState:
    stored = await table.get(letter.id)
    assert stored is not None
    return stored.state


async def settle(database: Any) -> None:
    """What the match worker does when it has judged the replayed records."""
    await database.pool.execute("UPDATE dead_letters SET state = 'replayed' WHERE state = 'replaying'")


async def test_the_table_keeps_every_byte(database: Any) -> None:
    headers = (*((b"n%d" % n, b"v") for n in range(1000)), (b"a", None), (b"a", b""), (b"\xff\xfe", b"\0"))
    letter = dead_letter(key=None, value=b"\x00\xff" * 1000, headers=headers, detail="a\0b", hostname="h\0")
    table = await store(database, letter, letter)
    stored = await table.get(letter.id)
    assert stored is not None
    assert stored.letter.headers == headers
    assert (stored.letter.key, stored.letter.value) == (None, letter.value)
    assert (stored.letter.detail, stored.letter.hostname) == ("a\u2400b", "h\u2400")
    assert await table.insert_absent([letter], NOW) == 0


async def test_a_replay_is_byte_exact_and_never_done_twice(database: Any, broker: Any) -> None:
    headers = ((b"x", b"1"), (b"x", None), (b"mutt.dlq.id", b"forged"), (b"", b""))
    letters = [
        dead_letter(offset=n, partition=3, key=b"k", value=b"\x00v%d\xff" % n, headers=headers) for n in range(5)
    ]
    table = await store(database, *reversed(letters))
    begin = log_end(broker, "mutt.ingest.syslog", 3)
    first = await replay(database, broker, "--reason", "shed")
    assert (first["sent"], first["refused"]) == (5, {})
    text = [(name.decode(), value) for name, value in headers]
    expected = [(b"k", one.value, [*text, ("mutt.dlq.id", str(one.id).encode())]) for one in letters]
    assert read_from(broker, "mutt.ingest.syslog", 3, begin) == expected
    assert {await state(table, letter) for letter in letters} == {LetterState.REPLAYING}

    again = await replay(database, broker, "--reason", "shed")
    assert again["sent"] == 0
    resumed = await replay(database, broker, "--resume", first["replays"][0])
    assert resumed["sent"] == 5
    await settle(database)
    resumed = await replay(database, broker, "--resume", first["replays"][0])
    assert resumed["sent"] == 0
    assert log_end(broker, "mutt.ingest.syslog", 3) == begin + 10
    recorded = await Replays(database.pool).replay(uuid.UUID(first["replays"][0]))
    assert (recorded.selected, recorded.sent) == (5, 10)
    assert recorded.finished_at is not None
    assert recorded.actor


async def test_header_names_that_are_no_text_and_records_of_nothing_are_sent_as_they_are(broker: Any) -> None:
    begin = log_end(broker, "mutt.ingest.raw", 6)
    producer = AIOKafkaProducer(**producer_options(broker.kafka.bootstrap))
    await producer.start()
    try:
        await (await send_exact(producer, "mutt.ingest.raw", 6, (None, None, ((b"a", None),))))
        await (await send_exact(producer, "mutt.ingest.raw", 6, (b"k", b"v", ((b"caf\xe9", b"1"),))))
        with pytest.raises(ValueError, match="no partition 99"):
            await send_exact(producer, "mutt.ingest.raw", 99, (b"k", b"v", ()))
    finally:
        await producer.stop()
    with pytest.raises(SystemError) as undecodable:  # the other client cannot show such a name, but names it
        read_from(broker, "mutt.ingest.raw", 6, begin + 1)
    assert isinstance(undecodable.value.__cause__, UnicodeDecodeError)
    assert undecodable.value.__cause__.object == b"caf\xe9"


async def test_two_operators_never_take_one_letter_twice(database: Any) -> None:
    letters = [dead_letter(offset=n) for n in range(200)]
    await store(database, *letters)
    replays = [await Replays(database.pool).begin(uuid.uuid4(), "me", None, SHED) for _ in range(4)]
    claims = await asyncio.gather(*(Replays(database.pool).claim(one, ReplayPolicy(), None, 100) for one in replays))
    taken = [stored.letter.id for claim in claims for stored in claim.letters]
    assert len(taken) == len(set(taken)) > 0


async def test_what_cannot_be_replayed_is_counted_with_why(database: Any, broker: Any) -> None:
    spent = dead_letter(replays=3)
    table = await store(
        database,
        spent,
        dead_letter(reason=Reason.JSON),
        dead_letter(reason=Reason.TOMBSTONE),
        dead_letter(partition=99),
    )
    result = await replay(database, broker, "--topic", "mutt.ingest.syslog")
    assert result["sent"] == 0
    assert result["refused"] == {"needs_edit": 1, "never": 1, "too_often": 1, "no_partition": 1}
    assert await state(table, spent) is LetterState.PARKED
    [group] = await letter_groups(database.pool, SHED, GroupBy.REASON)
    assert (group.value, group.letters, group.states) == ("shed", 2, {"open": 1, "parked": 1})


async def test_a_replay_does_not_chase_letters_that_come_after_its_start(database: Any) -> None:
    table = await store(database)
    record = await Replays(database.pool).begin(uuid.uuid4(), "me", None, SHED)
    await table.insert_absent([dead_letter(first_failed_at=record.created_at)], NOW)
    assert (await Replays(database.pool).claim(record, ReplayPolicy(), None, 10)).letters == []


async def test_a_dead_alert_becomes_pending_and_is_published_again(database: Any, broker: Any) -> None:
    alert = uuid.uuid4()
    await database.pool.execute(
        'INSERT INTO alerts (id, kind, topic, partition, "offset", broker_time, hostname, severity, team, handling,'
        " payload, state, settled_at) VALUES ($1, 'event', 'mutt.ingest.raw', 1, 5, now(), 'h1', 5, 't', 'Page_only',"
        " '{}', 'dead', now())",
        alert,
    )
    letter = dead_letter(reason=Reason.DELIVERY, topic="mutt.alerts", partition=2, alert_id=alert, value=b"{}")
    orphan = dead_letter(reason=Reason.DELIVERY, topic="mutt.alerts", alert_id=uuid.uuid4())
    table = await store(database, letter, orphan)
    begin = log_end(broker, "mutt.alerts", 2)
    result = await replay(database, broker, "--stage", "deliver")
    assert (result["sent"], result["refused"]) == (1, {"no_alert": 1})
    assert read_from(broker, "mutt.alerts", 2, begin) == [(b"h1", b"{}", [("mutt.dlq.id", str(letter.id).encode())])]
    row = await database.pool.fetchrow("SELECT state, settled_at FROM alerts WHERE id = $1", alert)
    assert tuple(row) == ("pending", None)
    assert await state(table, letter) is LetterState.REPLAYED


async def test_a_letter_that_is_given_back_takes_its_alert_with_it(database: Any) -> None:
    alert = uuid.uuid4()
    await database.pool.execute(
        'INSERT INTO alerts (id, kind, topic, partition, "offset", broker_time, hostname, severity, team, handling,'
        " payload, state) VALUES ($1, 'event', 't', 1, 5, now(), 'h1', 5, 't', 'Page_only', '{}', 'dead')",
        alert,
    )
    letter = dead_letter(reason=Reason.DELIVERY, topic="mutt.alerts", alert_id=alert)
    table = await store(database, letter)
    record = await Replays(database.pool).begin(uuid.uuid4(), "me", None, LetterFilter(ids=(letter.id,)))
    claim = await Replays(database.pool).claim(record, ReplayPolicy(), None, 10)
    assert [stored.letter.id for stored in claim.letters] == [letter.id]
    assert await database.pool.fetchval("SELECT state FROM alerts WHERE id = $1", alert) == "pending"
    await Replays(database.pool).release(record.id, letter.id)
    assert await database.pool.fetchval("SELECT state FROM alerts WHERE id = $1", alert) == "dead"
    assert await state(table, letter) is LetterState.OPEN


async def test_a_dry_run_says_what_the_rules_would_decide_and_touches_nothing(database: Any, broker: Any) -> None:
    rule = await add_rule(database.pool, "link down")
    letter = dead_letter(topic="mutt.ingest.snmp", partition=1, value=event_json(message="link down"))
    table = await store(database, letter, dead_letter(reason=Reason.LINE))
    begin = log_end(broker, "mutt.ingest.snmp", 1)
    done = await asyncio.to_thread(
        mutt, database, broker, "dlq", "replay", "--from", "2026-01-01", "--dry-run", "--json"
    )
    found = json.loads(done.stdout)
    assert (found["would_send"], found["refused"]) == (1, {"needs_edit": 1})
    assert [(one["id"], one["verdict"]["rule_id"]) for one in found["letters"]] == [(str(letter.id), rule)]
    assert found["would_become"] == {"alerted": 1}
    assert [one["refused"] for one in found["refused_letters"]] == ["needs_edit"]
    assert log_end(broker, "mutt.ingest.snmp", 1) == begin
    assert await state(table, letter) is LetterState.OPEN
    assert await database.pool.fetchval("SELECT count(*) FROM replays") == 0


async def test_limit_and_rate(database: Any, broker: Any) -> None:
    await store(database, *(dead_letter(offset=n, hostname="h") for n in range(20)))
    result = await replay(database, broker, "--host", "h", "--limit", "7", "--rate", "50")
    assert result["sent"] == 7
    assert await database.pool.fetchval("SELECT count(*) FROM dead_letters WHERE state = 'open'") == 13


async def test_ids_from_a_file(database: Any, broker: Any, tmp_path: Any) -> None:
    letters = [dead_letter(offset=n) for n in range(3)]
    await store(database, *letters)
    file = tmp_path / "ids"
    file.write_text("".join(f"{one.id}\n" for one in letters[:2]))
    assert (await replay(database, broker, "--ids", str(file)))["sent"] == 2
    again = await replay(database, broker, "--ids", str(file))
    assert (again["sent"], again["refused"]) == (0, {"not_open": 2})
    unknown = str(uuid.uuid4())
    known = ("--id", str(letters[0].id), "--id", unknown, "--id", str(letters[2].id))
    dry = await replay(database, broker, *known, "--dry-run")
    assert (dry["would_send"], dry["refused"]) == (1, {"not_open": 1, "unknown": 1})
    assert {one["id"]: one["refused"] for one in dry["refused_letters"]} == {
        str(letters[0].id): "not_open",
        unknown: "unknown",
    }


async def test_list_show_and_stats_never_print_event_text_as_it_came(database: Any, broker: Any) -> None:
    evil = "\x1b]0;owned\x07"
    letter = dead_letter(
        value=evil.encode(), key=evil.encode(), detail=evil, hostname=evil, headers=((b"\x1b", b"\x07"),)
    )
    await store(database, letter)
    for arguments in (
        ("list",),
        ("show", str(letter.id)),
        ("list", "--json"),
        ("show", str(letter.id), "--json"),
        ("stats",),
    ):
        done = await asyncio.to_thread(mutt, database, broker, "dlq", *arguments)
        assert done.returncode == 0, done.stderr
        assert all(char.isprintable() or char == "\n" for char in done.stdout)
        assert "shed" in done.stdout
    raw = await asyncio.to_thread(mutt, database, broker, "dlq", "show", str(letter.id), "--raw")
    assert raw.stdout == evil
    unknown = await asyncio.to_thread(mutt, database, broker, "dlq", "show", str(uuid.uuid4()))
    assert unknown.returncode == 1


async def test_a_schema_that_is_missing_is_status_78(database: Any, broker: Any) -> None:
    await database.pool.execute("DROP TABLE dead_letters CASCADE")
    done = await asyncio.to_thread(mutt, database, broker, "dlq", "stats")
    assert done.returncode == 78
    assert "mutt migrate" in done.stderr
