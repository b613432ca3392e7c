"""PostgreSQL stands still, crawls, refuses or has no room: it is waited for, and nothing is written twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace

from ops.devstack.layout import Layout, free_port
from ops.devstack.postgres import DATABASE, Postgres
from ops.devstack.provision import create_database
from ops.devstack.stack import Stack
from schemas.secret_names import API_KEY, DB_PASSWORD
from streams.adapters.database import connect, create_pool
from streams.adapters.migrations import migrate
from streams.adapters.secrets import FileSecrets
from tests.chaos.disk import SmallDisk, small_disk
from tests.chaos.frames import COMMIT
from tests.chaos.proxy import Trap
from tests.integration.api_process import get, process
from tests.integration.burial import members
from tests.integration.conftest import Database, System, end_workers
from tests.integration.pipeline import gauges, until
from tests.matrix.ground import Ground, frozen, server
from tests.matrix.http import ask
from tests.matrix.needs import needs_root


@pytest.mark.campaign
@pytest.mark.proves("postgres.freeze")
async def test_frozen_with_commits_under_way_it_is_given_up_on_and_counts_each_once(ground: Ground) -> None:
    """The sessions that stood still commit late, or never; the compare-and-set decides."""
    worker = ground.start("match-1")
    async with ground.under_load():
        with frozen(server(ground.stack.postgres.child)):
            await ground.until_says(worker, '"waiting"')
        await ground.goes_on()
        assert worker.running


@pytest.mark.proves("postgres.slow")
async def test_slow_it_gets_larger_batches_and_then_a_pause_and_the_worker_stays_a_member(ground: Ground) -> None:
    ground.start("match-1", session_timeout=60.0)  # a broker that is starved itself ends no membership here
    async with ground.under_load(3000, rate=2000.0) as load:
        usual = await _large_batches(ground)
        joined = await asyncio.to_thread(members, ground.bootstrap, MATCH)
        async with ground.pool.acquire() as connection, connection.transaction():
            await connection.execute("LOCK TABLE partition_progress")
            await ground.until_paused("match-1", "sink")
            assert await ground.reads("match-1", "mutt_partitions_assigned") == 24
            enough = load.sent + 24 * 200  # so that partitions have more than a small batch waiting

            async def sent() -> bool:
                return load.sent >= enough

            await until(sent, f"{enough} records are sent")
        await ground.progress_beyond(enough)
        assert await _large_batches(ground) > usual
        assert set(await asyncio.to_thread(members, ground.bootstrap, MATCH)) <= set(joined)


async def _large_batches(ground: Ground) -> float:
    """Transactions so far with more than 50 records."""
    names = [f'mutt_batch_records_bucket{{le="{le}"}}' for le in ("+Inf", "50.0")]
    some, small = await asyncio.to_thread(gauges, ground.ports["match-1"], *names)
    return some - small


MATCH = ("mutt-match",)

_CONFLICTS = """
CREATE SEQUENCE tries;
CREATE FUNCTION conflict() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    codes text[] := ARRAY['40001', '40P01', '25006', '42501', '53300', '55P03'];
    try bigint := nextval('tries');
BEGIN
    IF try <= 24 THEN RAISE EXCEPTION 'not now' USING ERRCODE = codes[try % 6 + 1]; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER conflict BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION conflict();
"""


@pytest.mark.proves("postgres.wrong")
async def test_conflicts_and_missing_rights_are_tried_again_and_blame_no_record(ground: Ground) -> None:
    ground.start("match-1")
    async with ground.under_load():
        await ground.pool.execute(_CONFLICTS)

        async def over() -> bool:
            return bool(await ground.pool.fetchval("SELECT last_value > 24 FROM tries"))

        await until(over, "24 transactions were refused")
        await ground.goes_on()
    assert not await ground.pool.fetchval("SELECT count(*) FROM partition_progress WHERE halted_at IS NOT NULL")


@pytest.mark.proves("postgres.reset")
async def test_sessions_reset_anywhere_leave_nothing_half_done(ground: Ground) -> None:
    worker = ground.start_behind_proxy("match-1")
    async with ground.under_load():
        for _ in range(5):
            assert ground.links["postgres"].reset() > 0
            await ground.goes_on()
        assert worker.running


SHARES = (0.0, 0.5, 1.0, 1.0)
"""How much of a COMMIT reaches the server: nothing, half, or all of it, and then no answer comes back."""


@pytest.mark.proves("postgres.cut")
async def test_a_commit_without_answer_is_looked_up_and_counts_once(ground: Ground) -> None:
    worker = ground.start_behind_proxy("match-1")
    link = ground.links["postgres"]
    async with ground.under_load():
        for share in SHARES * 5:
            trap = link.set_trap(Trap(COMMIT, forward=share))
            assert await asyncio.to_thread(trap.sprung.wait, 60)
        await ground.goes_on()
        assert worker.running
    assert "the outcome of the last commit was unknown" in worker.log.read_text()


@pytest.fixture
def disk() -> Iterator[SmallDisk]:
    with small_disk(192) as disk:
        yield disk


@pytest.fixture
async def narrow(broker: Stack, disk: SmallDisk) -> AsyncIterator[Ground]:
    """The system with a database that lies on a small disk."""
    layout = Layout(disk.path / "home")
    layout.create()
    postgres = Postgres(layout, broker.layout.secret(DB_PASSWORD))
    try:
        await asyncio.to_thread(postgres.start)
        database = await _migrated(broker, postgres)
        ground = Ground(System(broker, database))
        yield ground
        database.pool.terminate()
    finally:
        end_workers(broker)
        await asyncio.to_thread(postgres.stop)


async def _migrated(stack: Stack, postgres: Postgres) -> Database:
    settings = replace(stack.settings, database_url=postgres.url)
    secrets = FileSecrets(settings.secrets_dir)
    await create_database(settings, DATABASE)
    connection = await connect(settings, secrets)
    await migrate(connection)
    await connection.close()
    return Database(settings, secrets, await create_pool(settings, secrets, size=10))


@needs_root
@pytest.mark.proves("postgres.full", "api.full")
async def test_without_room_writes_wait_or_are_refused_and_reads_go_on(narrow: Ground, disk: SmallDisk) -> None:
    worker = narrow.start("match-1")
    settings = replace(narrow.system.settings, api_port=free_port())
    key = narrow.system.database.secrets.get(API_KEY)
    assert key is not None
    with process(settings) as (port, _):
        rule = partial(ask, port, "POST", "/api/v2/rules", key.reveal(), _large_rule())
        async with narrow.under_load():
            disk.fill()
            try:
                await narrow.until_says(worker, '"waiting"')
                await until(lambda: _refused(rule), "a write is refused")
                status, _ = await asyncio.to_thread(get, port, "/api/v2/rules", {"X-API-KEY": key.reveal()})
                assert status == 200
            finally:
                disk.empty()
            await narrow.goes_on()
            assert worker.running
            assert (await asyncio.to_thread(rule))[0] == 201


def _large_rule() -> dict[str, Any]:
    return {
        "match_string": "link down", "prod_handling": "Page_only", "dev_handling": "Log_only",
        "description": "x" * 2000,
    }  # fmt: skip


async def _refused(write: Any) -> bool:
    status, body, _ = await asyncio.to_thread(write)
    assert status in (201, 503), body
    return bool(status == 503)
