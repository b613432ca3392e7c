"""PostgreSQL freezes or is slow under many requests: the API answers at once, holds little, and goes on by itself."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import NamedTuple

import pytest
from msgspec.structs import replace

from api.__main__ import CONNECTIONS
from api.circuit import Circuit
from api.guard import Guard
from api.guarded_reads import POLICY, GuardedReads
from api.guarded_transactions import GuardedTransactions
from api.metrics import ApiMetrics
from api.problems import RETRY_AFTER_S
from api.turns import Turns
from ops.devstack.layout import free_port
from ops.devstack.stack import Stack
from schemas.errors import TooSlow
from schemas.secret_names import API_KEY
from streams.adapters.reads import PostgresReads
from streams.adapters.slo import PostgresSlo
from streams.adapters.transactions import ACQUIRE_S
from streams.core.reads import AuditQuery
from tests.integration.api_process import process
from tests.integration.conftest import Database
from tests.integration.pipeline import until

LOGS = "/api/v1/audit-logs"
MANY = 300
"""More than may be in hand and wait together."""
PROBES = 10
"""At most so many while a burst lasts, however busy the machine is."""
SLACK_S = 10.0


class Answer(NamedTuple):
    status: int
    kind: str
    retry_after: str
    seconds: float


@pytest.mark.proves("api.slow", "postgres.freeze")
async def test_a_frozen_server_is_known_to_be_down_and_nothing_piles_up(database: Database, postgres: Stack) -> None:
    key = database.secrets.get(API_KEY)
    assert key is not None
    with process(replace(database.settings, api_port=free_port())) as (port, child):

        async def ask() -> Answer:
            return await asked(port, key.reveal())

        async def answers() -> bool:
            return (await ask()).status == 200

        assert await answers()
        files, memory = held_by(child.pid)
        with frozen(postgres):
            first, then = [await asyncio.gather(*(ask() for _ in range(MANY))) for _ in range(2)]
            assert {(one.status, one.kind) for one in first + then} == {(503, "application/problem+json")}
            assert {one.retry_after for one in then} <= {"1", "2", "3", str(RETRY_AFTER_S)}
            assert sum(one.retry_after == str(RETRY_AFTER_S) for one in then) <= PROBES
            alone = sorted([(await ask()).seconds for _ in range(20)])
            assert alone[10] < ACQUIRE_S / 4, alone
            await until(lambda: at_most(child.pid, files + 2 * CONNECTIONS), "what was opened is closed")
            assert held_by(child.pid)[1] - memory < 64 * 2**20
        await until(answers, "it goes on", within=POLICY.timeout_s + ACQUIRE_S + SLACK_S)


async def at_most(pid: int, files: int) -> bool:
    return held_by(pid)[0] <= files


async def asked(port: int, key: str) -> Answer:
    """One request on a connection of its own, without a client library: hundreds of them must cost little here."""
    started = monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"GET {LOGS} HTTP/1.1\r\nHost: localhost\r\nX-API-KEY: {key}\r\nConnection: close\r\n\r\n"
    writer.write(head.encode())
    answer = (await reader.read()).decode()
    writer.close()
    await writer.wait_closed()
    status, *lines = answer.partition("\r\n\r\n")[0].splitlines()
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Answer(
        int(status.split()[1]), headers["content-type"], headers.get("retry-after", ""), monotonic() - started
    )


@contextmanager
def frozen(stack: Stack) -> Iterator[None]:
    """The server with every process of its own stands still; the kernel still takes connections for it."""
    assert stack.postgres.child is not None
    server = stack.postgres.child.pid
    stopped = [server]
    os.kill(server, signal.SIGSTOP)
    try:
        for pid in Path(f"/proc/{server}/task/{server}/children").read_text().split():
            os.kill(int(pid), signal.SIGSTOP)
            stopped.append(int(pid))
        yield
    finally:
        for pid in reversed(stopped):
            os.kill(pid, signal.SIGCONT)


def held_by(pid: int) -> tuple[int, int]:
    """Open files and bytes of memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return len(os.listdir(f"/proc/{pid}/fd")), pages * os.sysconf("SC_PAGE_SIZE")


async def test_questions_that_take_too_long_leave_the_others_alone(database: Database) -> None:
    circuit = Circuit("postgresql", POLICY, ApiMetrics())
    guard = Guard(circuit, Turns(8, waiting=8, within_s=5))
    reads = GuardedReads(PostgresReads(database.pool, answer_s=0.2), guard)
    slo = PostgresSlo(GuardedTransactions(database.pool, guard))
    async with database.pool.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE audit IN ACCESS EXCLUSIVE MODE")
        for _ in range(POLICY.threshold + 1):
            with pytest.raises(TooSlow):
                await reads.audit_logs(AuditQuery())
        assert await slo.slo_window_hours() == 24
    assert (await reads.audit_logs(AuditQuery())).total == 0
