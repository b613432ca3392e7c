"""Lists of v2 on the real database: every row once, in order, whatever the filter; and what it looks at is bounded."""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from api.balance import Balance
from api.cursors import Cursors
from ops.devstack.stack import Stack
from schemas.rows import AUDIT
from streams.adapters import scans
from streams.adapters.ledger_check import Books
from streams.adapters.locks import lock_key, try_lock
from streams.adapters.replay_jobs import REPLAY_LOCK
from streams.adapters.replay_runner import ReplayRunner
from streams.core.books import Fault, Standing
from tests.integration.conftest import Database
from tests.integration.pipeline import until
from tests.integration.whole_api import app_of, ports_on

LOGS, LETTERS, DELIVERIES, JOBS = (
    "/api/v2/audit-logs",
    "/api/v2/dead-letters",
    "/api/v2/deliveries",
    "/api/v2/jobs",
)
NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)


@pytest_asyncio.fixture
async def client(database: Database) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(database, "127.0.0.1:1") as client:
        yield client


def client_of(database: Database, bootstrap: str) -> httpx2.AsyncClient:
    async def check() -> Books:
        standing = Standing("mutt.ingest.raw", 0, 0, 10, log_end=14)
        return Books([], [standing], [Fault("mutt.ingest.raw", 0, 0, 3, 5, "no ledger row")])

    cursors = Cursors(lambda: (b"key of the cursors",), lambda: NOW)
    app, _ = app_of(ports_on(database, bootstrap, balance=Balance(check, lambda: NOW), cursors=cursors))
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://localhost")


def audited(offset: int, **changes: Any) -> tuple[Any, ...]:
    values: dict[str, Any] = dict.fromkeys(AUDIT) | {
        "topic": "mutt.ingest.syslog",
        "partition": offset % 3,
        "offset": offset,
        "broker_time": NOW - dt.timedelta(days=40) + dt.timedelta(minutes=offset // 7),
        "hostname": f"h{offset % 4}",
        "disposition": ("logged", "alerted", "unhandled", "logged", "shed")[offset % 5],
        "rule_id": 1 + offset % 3 if offset % 5 != 2 else None,
        "ruleset_version": 1,
        "message": f"message {offset} 100%",
        "raw": b"{}",
    }
    return tuple((values | changes).values())


async def store(database: Database, *rows: tuple[Any, ...]) -> None:
    await database.pool.copy_records_to_table("audit", records=rows, columns=AUDIT)


async def walk(client: httpx2.AsyncClient, path: str, **params: Any) -> list[dict[str, Any]]:
    """All items, page by page."""
    found: list[dict[str, Any]] = []
    cursor: dict[str, Any] = {}
    for _ in range(200):
        answer = await client.get(path, params=params | cursor)
        assert answer.status_code == 200, answer.text
        assert len(answer.json()["items"]) <= params.get("limit", 100)
        found += answer.json()["items"]
        if answer.json()["next"] is None:
            return found
        cursor = {"cursor": answer.json()["next"]}
    raise AssertionError("it does not end")


FILTERS: tuple[dict[str, Any], ...] = (
    {},
    {"hostname": "h1"},
    {"rule_id": 2},
    {"disposition": "logged"},
    {"hostname": "h1", "disposition": "shed"},
    {"rule_id": 2, "hostname": "h3"},
    {"q": "MESSAGE 1"},
    {"q": "100%", "hostname": "h2"},
    {"q": "%_%"},
)


async def test_every_row_once_in_order_whatever_the_filter(
    client: httpx2.AsyncClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Equal times, several partitions, pages of all sizes, both directions, and few rows looked at a page."""
    await store(database, *(audited(n) for n in range(300)))
    names = [dict(zip(AUDIT, audited(n), strict=True)) for n in range(300)]
    for looked_at in (7, 10_000):
        monkeypatch.setattr(scans, "LOOKED_AT", looked_at)
        for filters, sort in itertools.product(FILTERS, ("broker_time", "-broker_time")):
            wanted = [
                row
                for row in names
                if all(row.get(name) == value for name, value in filters.items() if name != "q")
                and filters.get("q", "").lower() in row["message"].lower()
            ]
            wanted.sort(key=lambda row: (row["broker_time"], row["topic"], row["partition"], row["offset"]))
            if sort.startswith("-"):
                wanted.reverse()
            found = await walk(client, LOGS, limit=23, sort=sort, fields="offset,hostname", **filters)
            assert found == [{"offset": row["offset"], "hostname": row["hostname"]} for row in wanted], filters


async def test_a_stretch_of_time_and_what_a_row_shows(client: httpx2.AsyncClient, database: Database) -> None:
    alert = uuid.UUID(int=7)
    await store(
        database,
        *(audited(n) for n in range(70)),
        audited(100, alert_id=alert, disposition="alerted", message="é" * 1500, flags=["latin1"]),
    )
    await add_alert(database, alert, 100)
    since, until_ = NOW - dt.timedelta(days=40) + dt.timedelta(minutes=2), NOW - dt.timedelta(days=40, minutes=-5)
    found = await walk(client, LOGS, since=since.isoformat(), until=until_.isoformat(), sort="broker_time", limit=4)
    assert [row["offset"] for row in found] == sorted(range(14, 35), key=lambda n: (n // 7, n % 3, n))
    (row,) = await walk(client, LOGS, alert_id=str(alert))
    assert (row["alert_id"], row["offset"], len(row["message"]), row["flags"]) == (str(alert), 100, 1000, ["latin1"])
    assert row["event_id"] == "mutt.ingest.syslog:1:100"
    assert await walk(client, LOGS, alert_id=str(uuid.UUID(int=8))) == []
    trace = (await client.get(f"/api/v2/events/{alert}/trace")).json()
    assert (trace["event_id"], trace["verdict"], trace["audit"][0]["offset"]) == (row["event_id"], "alerted", 100)
    assert trace["record"]["in_kafka"] is False
    known = (await client.get(f"/api/v2/events/{row['event_id']}/trace?record=false")).json()
    assert known["alerts"][0]["id"] == str(alert)
    for unknown in ("x", "mutt.ingest.syslog:1:99999999999999999999", str(uuid.UUID(int=9))):
        assert (await client.get(f"/api/v2/events/{unknown}/trace?record=false")).status_code == 404


async def add_alert(database: Database, alert: uuid.UUID, offset: int, **changes: Any) -> None:
    values: dict[str, Any] = {
        "id": alert, "kind": "rule", "topic": "mutt.ingest.syslog", "partition": offset % 3, "offset": offset,
        "broker_time": NOW - dt.timedelta(days=40) + dt.timedelta(minutes=offset // 7), "hostname": f"h{offset % 4}",
        "severity": 3, "rule_id": 1, "rule_version": 1, "team": "netops", "handling": "Page_only", "payload": "{}",
        "created_at": NOW - dt.timedelta(minutes=offset // 5),
    } | changes  # fmt: skip
    columns = ", ".join(f'"{name}"' for name in values)
    marks = ", ".join(f"${number}" for number in range(1, len(values) + 1))
    await database.pool.execute(f"INSERT INTO alerts ({columns}) VALUES ({marks})", *values.values())


async def test_deliveries_by_state(client: httpx2.AsyncClient, database: Database) -> None:
    states = ("pending", "delivered", "dead", "delivered")
    for n in range(40):
        await add_alert(database, uuid.UUID(int=n + 1), n, state=states[n % 4], attempts=n)
    for state in ("pending", "delivered", "dead"):
        found = await walk(client, DELIVERIES, state=state, limit=3)
        assert sorted(row["attempts"] for row in found) == [n for n in range(40) if states[n % 4] == state]
        assert {row["state"] for row in found} == {state}
    times = [row["created_at"] for row in await walk(client, DELIVERIES, limit=7)]
    assert len(times) == 40
    assert times == sorted(times, reverse=True)
    assert len(await walk(client, DELIVERIES, hostname="h1", team="netops", rule_id=1)) == 10


async def test_dead_letters_are_listed_and_shown_whole(client: httpx2.AsyncClient, database: Database) -> None:
    for n in range(12):
        await database.pool.execute(
            'INSERT INTO dead_letters (id, stage, reason, detail, topic, partition, "offset", broker_time, key, value,'
            " header_names, header_values, hostname, state, first_failed_at) VALUES ($1, 'decode', $2, 'd',"
            " 'mutt.ingest.raw', 0, $3, now(), 'k', $4, $5, $6, 'h', $7, $8)",
            uuid.UUID(int=n + 1), ("json", "field")[n % 2], n, b"caf\xe9" if n == 5 else b"text", [b"a"], [None],
            ("open", "parked", "purged")[n % 3], NOW - dt.timedelta(hours=n // 2),
        )  # fmt: skip
    assert [row["offset"] for row in await walk(client, LETTERS, limit=2, reason="json", state="open")] == [0, 6]
    assert len(await walk(client, LETTERS, limit=3)) == 8
    assert len(await walk(client, LETTERS, state="purged", fields="id")) == 4
    whole = (await client.get(f"{LETTERS}/{uuid.UUID(int=6)}")).json()
    assert (whole["value"], whole["key"]) == ({"base64": "Y2Fm6Q==", "text": None}, {"base64": "aw==", "text": "k"})
    assert whole["headers"] == [{"name": {"base64": "YQ==", "text": "a"}, "value": None}]
    assert (await client.get(f"{LETTERS}/{uuid.UUID(int=99)}")).status_code == 404


async def test_the_ledger_and_whether_it_balances(client: httpx2.AsyncClient, database: Database) -> None:
    await database.pool.execute(
        "INSERT INTO partition_progress (topic, partition, next_offset) VALUES ('mutt.ingest.raw', 0, 10)"
    )
    for first in range(0, 10, 2):
        await database.pool.execute(
            "INSERT INTO ledger (topic, partition, epoch, first_offset, next_offset, minute, ruleset_version,"
            " ruleset_digest, logged) VALUES ('mutt.ingest.raw', 0, 0, $1::bigint, $1 + 2, now(), 1, 'd', 2)",
            first,
        )
    body = (await client.get("/api/v2/ledger")).json()
    (row,) = body["items"]
    assert (row["first_offset"], row["next_offset"], row["ranges"], row["counts"]["logged"]) == (0, 10, 5, 10)
    assert (body["balanced"], row["balanced"], row["lag"]) == (False, False, 4)
    assert row["faults"] == [{"epoch": 0, "first_offset": 3, "next_offset": 5, "problem": "no ledger row"}]
    ranges = await walk(client, "/api/v2/ledger/mutt.ingest.raw/0", limit=2)
    assert [one["first_offset"] for one in ranges] == [8, 6, 4, 2, 0]
    assert (await client.get("/api/v2/ledger/mutt.ingest.raw/9")).status_code == 404


Q = [
    *({"limit": value} for value in ("-1", "0", "\u0661\u0660", "", "1001", "1000000000")),
    {"since": "2026-03-02T00:00:00Z", "until": "2026-03-01T00:00:00Z"},
    {"since": "2026-03-01T00:00:00"},
    {"since": "now-1d"},
    {"sort": ";drop"},
    {"sort": "message"},
    {"fields": ",".join(["m"] * 10_000)},
    {"fields": "raw"},
    {"hostname": "\0"},
    {"q": "x" * 256},
    {"unknown": "1"},
]


@pytest.mark.parametrize("params", Q, ids=lambda params: str(params)[:40])
async def test_Q_what_cannot_be_asked_is_422(client: httpx2.AsyncClient, params: dict[str, str]) -> None:
    answer = await client.get(LOGS, params=params)
    assert answer.status_code == (422 if len(str(answer.request.url)) < 8192 else 414)


async def test_Q_twice_too_long_and_another_query(client: httpx2.AsyncClient, database: Database) -> None:
    assert (await client.get(LOGS + "?limit=1&limit=2")).status_code == 422
    assert (await client.get(LOGS, params={"q": "x" * 60_000})).status_code == 414
    await store(database, *(audited(n) for n in range(3)))
    cursor = (await client.get(LOGS, params={"limit": 1})).json()["next"]
    for params in ({"cursor": cursor, "hostname": "h1"}, {"cursor": cursor[:-1] + "A"}, {"cursor": "x"}):
        assert (await client.get(LOGS, params=params)).status_code == 400
    assert (await client.get(DELIVERIES, params={"cursor": cursor})).status_code == 400
    century = {"since": "1926-01-01T00:00:00Z", "until": "2126-01-01T00:00:00Z", "q": "%a%a%a%a%a"}
    assert (await client.get(LOGS, params=century)).json() == {"items": [], "next": None}


async def test_a_replay_is_a_job_that_is_resumed(broker: Stack, database: Database) -> None:
    """Its dry run sends nothing; a process that dies leaves it interrupted; the next one goes on with it."""
    for n in range(5):
        await database.pool.execute(
            "INSERT INTO dead_letters (id, stage, reason, detail, topic, partition, \"offset\", broker_time, value)"
            " VALUES ($1, 'match', 'shed', 'd', 'mutt.ingest.syslog', 0, $2, now(), $3)",
            uuid.UUID(int=n + 1), n, b'{"timestamp":"2026-03-01T12:00:00Z","hostname":"h","message":"m"}',
        )  # fmt: skip
    async with client_of(database, broker.kafka.bootstrap) as client:
        order = {"filter": {"reasons": ["shed"]}, "limit": 4, "reason": "again"}
        dry = (await client.post(f"{LETTERS}/replay", json=order | {"dry_run": True})).json()
        assert (dry["job"], dry["dry_run"]["would_send"], dry["dry_run"]["complete"]) == (None, 4, True)
        answer = await client.post(f"{LETTERS}/replay", json=order)
        assert answer.status_code == 202
        where = answer.headers["location"]
        waiting = (await client.get(where)).json()
        assert (waiting["state"], waiting["selected"], waiting["total"]) == ("waiting", 0, 4)
        await database.pool.execute("UPDATE replays SET problem = 'cut short'")
        assert (await client.get(where)).json()["state"] == "interrupted"
        async with try_lock(database.pool, lock_key(REPLAY_LOCK, uuid.UUID(where.rpartition("/")[2]))):
            assert (await client.get(where)).json()["state"] == "running"

        runner = ReplayRunner(database.pool, broker.kafka.bootstrap)
        running = asyncio.create_task(runner.run())
        try:

            async def finished() -> bool:
                return bool((await client.get(where)).json()["state"] == "finished")

            await until(finished, "the job is finished")
        finally:
            running.cancel()
        job = (await client.get(where)).json()
        assert (job["sent"], job["refused"], job["problem"], job["reason"]) == (4, 0, None, "again")
        assert (job["selected"], job["total"]) == (4, None)
        assert [one["id"] for one in await walk(client, JOBS)] == [job["id"]]
        states = await database.pool.fetch("SELECT state, count(*) AS n FROM dead_letters GROUP BY 1 ORDER BY 1")
        assert [(row["state"], row["n"]) for row in states] == [("open", 1), ("replaying", 4)]
        audit = await database.pool.fetchrow("SELECT * FROM config_audit WHERE operation = 'REPLAY'")
        assert (audit["changed_by"], audit["reason"]) == ("api:development", "again")
        for wrong in (
            {"filter": {}},
            {"filter": {"reasons": ["x"]}},
            {"filter": {"hosts": ["h"], "since": "2026-03-01T00:00:00"}},
            {"filter": {"hosts": ["h"]}, "limit": 0},
            {"filter": {"hosts": ["h"]}, "more": 1},
            {},
        ):
            assert (await client.post(f"{LETTERS}/replay", json=wrong)).status_code == 422
