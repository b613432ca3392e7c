"""Sessions of the console that were ended, on a real PostgreSQL: known everywhere, and forgotten in time."""

from __future__ import annotations

import datetime as dt

import pytest

from streams.adapters.ended_sessions import PostgresEndedSessions
from streams.adapters.transactions import Transactions
from tests.api.console.desk import Desk
from tests.contracts.ended_sessions import LATER, EndedSessionsContract
from tests.integration.conftest import Database
from tests.integration.consoles import console_on


@pytest.fixture
def ended(database: Database) -> PostgresEndedSessions:
    return PostgresEndedSessions(Transactions(database.pool))


class TestOnPostgres(EndedSessionsContract):
    """With the fixture above."""


async def test_they_are_forgotten_once_they_would_have_ended_by_themselves(ended: PostgresEndedSessions) -> None:
    for name, until in (("one", LATER), ("two", LATER - dt.timedelta(days=1)), ("three", LATER - dt.timedelta(days=2))):
        await ended.end(name, until)
    assert [await ended.forget(1) for _ in range(3)] == [1, 1, 0]
    assert [await ended.is_ended(name) for name in ("one", "two", "three")] == [True, False, False]


@pytest.mark.checks("UI_3")
async def test_who_kept_a_copy_of_the_cookie_is_signed_out_at_every_process(database: Database) -> None:
    here, there = console_on(database), console_on(database)
    await here.sign_in()
    copied(here, there)
    await there.page("/ui/rules")
    assert (await here.send("/ui/sign-out", {"from": "test"})).status_code == 303
    await there.page("/ui/rules", 303)
    copied(there, here)
    await here.page("/ui/rules", 303)


def copied(source: Desk, target: Desk) -> None:
    for cookie in source.client.cookies.jar:
        target.client.cookies.jar.set_cookie(cookie)
