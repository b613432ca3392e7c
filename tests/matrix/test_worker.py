"""A worker that is starved, or has nowhere to write its log, does its work all the same."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from ops.devstack.layout import free_port
from tests.matrix.ground import Ground, passes
from tests.programs import Forked, Surroundings, start_module

SHARE, TURN_S = 0.05, 0.2
SESSION_S = 10.0
"""As in production; the stack's is shorter, and the broker shares the machine with whatever else runs on it."""
STARVED_S = 2 * SESSION_S
FULL = Path("/dev/full")


@pytest.mark.campaign
@pytest.mark.proves("worker.slow")
async def test_with_a_twentieth_of_a_processor_it_stays_in_its_group(ground: Ground) -> None:
    worker = ground.start("match-1", session_timeout=SESSION_S)
    async with ground.under_load(1000, rate=100.0):
        with starved(worker.pid):
            await passes(STARVED_S)
            await ground.goes_on()
        assert worker.running
        assert "revoked with work in hand" not in worker.log.read_text()


@contextmanager
def starved(pid: int) -> Iterator[None]:
    """The process runs for a twentieth of the time."""
    fed = threading.Event()
    thread = threading.Thread(target=_ration, args=(pid, fed))
    thread.start()
    try:
        yield
    finally:
        fed.set()
        thread.join()


def _ration(pid: int, fed: threading.Event) -> None:
    with suppress(ProcessLookupError):
        while not fed.is_set():
            os.kill(pid, signal.SIGSTOP)
            fed.wait(TURN_S * (1 - SHARE))
            os.kill(pid, signal.SIGCONT)
            time.sleep(TURN_S * SHARE)


@pytest.mark.proves("worker.reset")
async def test_with_all_its_connections_cut_at_once_it_heals(ground: Ground) -> None:
    worker = ground.start_behind_proxy("match-1")
    async with ground.under_load():
        for _ in range(3):
            assert min([link.reset() for link in ground.links.values()]) > 0
            await ground.goes_on()
        assert worker.running


@pytest.mark.proves("worker.full")
async def test_without_room_for_its_log_it_goes_on(ground: Ground) -> None:
    """Everything it says is refused with ENOSPC; sessions that are cut give it something to say."""
    worker = logging_into_the_void(ground)
    try:
        async with ground.under_load():
            for _ in range(3):
                await ground.pool.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
                await ground.pool.expire_connections()
                await ground.goes_on()
            assert worker.poll() is None
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(15) == 0
    finally:
        worker.kill()


def logging_into_the_void(ground: Ground) -> Forked:
    settings = {"database_url": ground.system.settings.database_url, "match_port": free_port(), "log_level": "debug"}
    surroundings = Surroundings(ground.stack.environment(**settings), output=FULL, errors=FULL)
    return start_module("ops.cli.mutt", "worker", "match", surroundings=surroundings)
