"""API keys and idempotency keys on a real PostgreSQL: two live at most, one of many begins, no secret is stored."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from typing import Any

import asyncpg
import pytest

from schemas.errors import KeyRefused, ScopesExceeded, StoreUnavailable, TwoKeysLive
from schemas.scopes import Scope
from schemas.secrets import Secret
from streams.adapters.api_keys import KeyStore
from streams.adapters.idempotency import IdempotencyKeys
from streams.adapters.transactions import Transactions
from streams.core.api_keys import Failure, MadeKey, Rehash, WantedKey, judge, parse_key
from streams.core.auth_failures import FailureBook
from streams.core.authors import Author, Hold
from streams.core.idempotency import AnswerLost, Begun, keyed
from tests.contracts.idempotency import ANSWER, ASKED, IdempotencyContract
from tests.integration.conftest import Database

PEPPER = Secret("pepper-of-the-test")
ANN = Author("cli:ann", reason="first dashboards")
READS = frozenset({Scope.AUDIT_READ, Scope.EVENTS_READ})
HOUR = dt.timedelta(hours=1)
SOON = dt.timedelta(minutes=1)


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def wanted(client: str = "grafana", **changes: Any) -> WantedKey:
    return WantedKey(**{"client": client, "scopes": READS, "name": "dashboards"} | changes)


@pytest.fixture
def keys(database: Database) -> KeyStore:
    return KeyStore(Transactions(database.pool), lambda: (PEPPER,))


async def opens(keys: KeyStore, made: MadeKey) -> Failure | None:
    presented = parse_key(made.text.reveal())
    assert presented is not None
    return judge(presented, await keys.find(presented.id), (PEPPER,), now())


@pytest.mark.checks("KEY_5")
async def test_the_life_of_a_key_and_its_audit(database: Database, keys: KeyStore) -> None:
    made = await keys.create(wanted(expires_at=now() + HOUR), ANN)
    assert await opens(keys, made) is None
    page = await keys.keys(client="grafana", limit=10)
    assert page.items == (made.key,)
    revoked = await keys.revoke(made.key.id, Author("cli:bob", reason="lost"))
    assert revoked is not None
    assert await opens(keys, made) is Failure.REVOKED
    assert await keys.revoke(made.key.id, Author("cli:eve")) == revoked
    assert await keys.revoke("nosuchkey000", ANN) is None
    rows = await database.pool.fetch("SELECT * FROM config_audit ORDER BY id")
    assert [(row["changed_by"], row["operation"], row["table_name"], row["object"], row["reason"]) for row in rows] == [
        ("cli:ann", "CREATE", "api_keys", made.key.id, "first dashboards"),
        ("cli:bob", "UPDATE", "api_keys", made.key.id, "lost"),
    ]
    assert set(json.loads(rows[0]["new_values"])) == {
        "id", "client", "name", "scopes", "created_at", "expires_at", "revoked_at",
    }  # fmt: skip


@pytest.mark.checks("KEY_1", "KEY_5")
async def test_I9_neither_secret_nor_hash_leaves_its_column(database: Database, keys: KeyStore) -> None:
    made = await keys.create(wanted(), ANN)
    await keys.note_uses({made.key.id: now()})
    await keys.revoke(made.key.id, ANN)
    digest = await database.pool.fetchval("SELECT key_hash FROM api_key_hashes")
    secret = made.text.reveal().rpartition("_")[2]
    for (name,) in await database.pool.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"):
        rows = await database.pool.fetch(f'SELECT row_to_json(t)::text FROM "{name}" t')
        held = "\n".join(row[0] for row in rows)
        assert secret not in held, name
        assert digest.hex() not in held or name == "api_key_hashes", name


async def test_a_hash_is_replaced_where_it_is_still_the_old_one(database: Database, keys: KeyStore) -> None:
    made = await keys.create(wanted(), ANN)
    old = await database.pool.fetchval("SELECT key_hash FROM api_key_hashes")
    await keys.note_hashes({made.key.id: Rehash(b"x" * 32, b"y" * 32), "nosuchkey000": Rehash(old, b"y" * 32)})
    assert await database.pool.fetchval("SELECT key_hash FROM api_key_hashes") == old
    await keys.note_hashes({made.key.id: Rehash(old, b"y" * 32)})
    assert await database.pool.fetchval("SELECT key_hash FROM api_key_hashes") == b"y" * 32
    assert await database.pool.fetchval("SELECT count(*) FROM config_audit") == 1


async def test_a_use_is_noted_once_a_minute_and_is_no_change(database: Database, keys: KeyStore) -> None:
    made = await keys.create(wanted(), ANN)
    noon = now()
    for later, noted in ((0, 0), (59, 0), (60, 60)):
        await keys.note_uses({made.key.id: noon + dt.timedelta(seconds=later)})
        assert (await keys.keys(limit=1)).items[0].last_used_at == noon + dt.timedelta(seconds=noted)
    assert await database.pool.fetchval("SELECT count(*) FROM config_audit") == 1


@pytest.mark.checks("KEY_3")
async def test_of_many_at_once_two_are_made(database: Database, keys: KeyStore) -> None:
    done = await asyncio.gather(*(keys.create(wanted(), ANN) for _ in range(20)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in done) == ["MadeKey"] * 2 + ["TwoKeysLive"] * 18
    assert await database.pool.fetchval("SELECT count(*) FROM api_keys") == 2
    await keys.create(wanted("another"), ANN)
    made = [one for one in done if isinstance(one, MadeKey)]
    await keys.revoke(made[0].key.id, ANN)
    await keys.create(wanted(), ANN)
    with pytest.raises(TwoKeysLive, match="grafana"):
        await keys.create(wanted(), ANN)


@pytest.mark.checks("KEY_3")
async def test_the_database_itself_holds_the_bound(database: Database, keys: KeyStore) -> None:
    first = await keys.create(wanted(), ANN)
    for _ in range(2):
        await keys.revoke(first.key.id, ANN)
        await keys.create(wanted(), ANN)
    for statement in (
        "INSERT INTO api_keys (id, client, name, scopes) VALUES ('abcdefghijkl', 'grafana', '', '{x}')",
        "UPDATE api_keys SET revoked_at = NULL",
    ):
        with pytest.raises(asyncpg.CheckViolationError, match="two live keys"):
            await database.pool.execute(statement)
    async with database.pool.acquire() as connection:
        with pytest.raises(asyncpg.SerializationError):
            async with connection.transaction(isolation="repeatable_read"):
                await connection.execute("UPDATE api_keys SET name = 'x'")


async def test_rotation_keeps_scopes_name_and_length_of_life(keys: KeyStore) -> None:
    assert await keys.rotate("grafana", ANN) is None
    first = await keys.create(wanted(expires_at=now() + HOUR), ANN)
    second = await keys.rotate("grafana", ANN, grace=SOON)
    assert second is not None
    assert (second.key.scopes, second.key.name) == (READS, "dashboards")
    assert second.key.expires_at is not None
    assert abs(second.key.expires_at - second.key.created_at - HOUR) < dt.timedelta(seconds=5)
    older = await keys.find(first.key.id)
    assert older is not None
    assert older.key.expires_at is not None
    assert older.key.expires_at - now() < SOON
    with pytest.raises(TwoKeysLive):
        await keys.rotate("grafana", ANN)
    assert (await keys.keys(limit=10)).items[0].id == second.key.id
    await keys.revoke(first.key.id, ANN)
    with pytest.raises(ScopesExceeded):
        await keys.rotate("grafana", ANN, within=frozenset({Scope.KEYS_ADMIN}))
    assert await keys.rotate("grafana", ANN, grace=dt.timedelta(0)) is not None
    assert await opens(keys, second) is Failure.EXPIRED


async def test_what_is_asked_wrongly_makes_nothing(database: Database, keys: KeyStore) -> None:
    for wrong in (wanted("Not A Name"), wanted(scopes=frozenset()), wanted(expires_at=now() - HOUR)):
        with pytest.raises(KeyRefused):
            await keys.create(wrong, ANN)
    assert await database.pool.fetchval("SELECT count(*) FROM api_keys") == 0


async def test_keys_come_in_pages(keys: KeyStore) -> None:
    made = [(await keys.create(wanted(f"c{number}"), ANN)).key.id for number in range(5)]
    seen: list[str] = []
    after = None
    while True:
        page = await keys.keys(after=after, limit=2)
        seen += [key.id for key in page.items]
        after = page.next
        if after is None:
            break
    assert seen == made[::-1]


@pytest.mark.checks("KEY_5")
async def test_failures_add_up_and_are_forgotten_in_bounded_steps(database: Database, keys: KeyStore) -> None:
    moment = now()
    for _ in range(2):
        book = FailureBook()
        for number in range(6):
            book.add(f"192.0.2.{number % 3}", None, Failure.UNKNOWN, moment)
        await keys.note_failures(book.drain())
    rows = await database.pool.fetch("SELECT address, failures FROM auth_failures ORDER BY address")
    assert [tuple(row) for row in rows] == [("192.0.2.0", 4), ("192.0.2.1", 4), ("192.0.2.2", 4)]
    assert await keys.forget_failures(10) == 0
    assert [await keys.forget_failures(2, kept=-HOUR) for _ in range(3)] == [2, 1, 0]


class TestOnPostgres(IdempotencyContract):
    @pytest.fixture
    def store(self, database: Database) -> IdempotencyKeys:
        return IdempotencyKeys(Transactions(database.pool))

    @pytest.fixture
    def hasty(self, database: Database) -> IdempotencyKeys:
        return IdempotencyKeys(Transactions(database.pool), lease=dt.timedelta(0))


async def test_A7_what_was_committed_is_not_done_again_when_its_answer_was_never_kept(database: Database) -> None:
    """A process that died, or lost its connection, between the two was taken over, and the request done twice."""
    transactions = Transactions(database.pool)
    store, hasty = IdempotencyKeys(transactions), IdempotencyKeys(transactions, lease=dt.timedelta(0))
    begun = await hasty.begin(ASKED)
    assert isinstance(begun, Begun)
    author = Author("api:grafana", hold=Hold(ASKED.client, ASKED.key, begun.lease))
    with pytest.raises(ZeroDivisionError):
        async with transactions.writing(author):
            raise ZeroDivisionError
    begun = await hasty.begin(ASKED)
    assert isinstance(begun, Begun)
    author = Author("api:grafana", hold=Hold(ASKED.client, ASKED.key, begun.lease))
    async with transactions.writing(author) as connection:
        await connection.execute("INSERT INTO development_hosts (hostname) VALUES ('lab')")
    await store.release(ASKED, begun.lease)
    assert await store.begin(ASKED) == AnswerLost()
    await store.settle(ASKED, begun.lease, ANSWER)
    assert await store.begin(ASKED) == ANSWER
    async with transactions.writing(author):
        pass  # what goes on after the answer


async def test_A7_one_that_was_taken_over_changes_nothing_any_more(database: Database) -> None:
    transactions = Transactions(database.pool)
    store, hasty = IdempotencyKeys(transactions), IdempotencyKeys(transactions, lease=dt.timedelta(0))
    begun = await hasty.begin(ASKED)
    assert isinstance(begun, Begun)
    assert isinstance(await store.begin(ASKED), Begun)
    with pytest.raises(StoreUnavailable, match="in its place"):
        async with transactions.writing(Author("api:grafana", hold=Hold(ASKED.client, ASKED.key, begun.lease))) as late:
            await late.execute("INSERT INTO development_hosts (hostname) VALUES ('lab')")
    assert await database.pool.fetchval("SELECT count(*) FROM development_hosts") == 0


async def test_after_its_time_a_key_is_free_and_its_row_is_deleted(database: Database) -> None:
    kept, short = (
        IdempotencyKeys(Transactions(database.pool)),
        IdempotencyKeys(Transactions(database.pool), kept=dt.timedelta(0)),
    )
    for number in range(3):
        begun = await kept.begin(keyed("grafana", f"k-{number}", ASKED.request, b""))
        assert isinstance(begun, Begun)
    assert await kept.forget(10) == 0
    assert isinstance(await short.begin(keyed("grafana", "k-0", ASKED.request, b"other")), Begun)
    assert [await short.forget(2) for _ in range(3)] == [2, 1, 0]
