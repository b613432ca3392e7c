"""`mutt ready` asks a service where its settings say it listens, and its exit status is the answer."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry

from ops.cli import mutt
from ops.cli.exits import Exit
from ops.cli.ready import Served, address_of
from ops.devstack.layout import free_port
from schemas.settings import Settings
from streams.health import HealthServer
from tests.ops.cli.test_exits import status_of
from tests.programs import bare_environment


@pytest.mark.parametrize("service", Served)
def test_every_service_has_a_port_in_the_settings(service: Served) -> None:
    assert address_of(service, Settings())[1] > 0


@pytest.mark.parametrize(("host", "asked"), [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("10.1.2.3", "10.1.2.3")])
def test_what_listens_everywhere_is_asked_on_loopback(host: str, asked: str) -> None:
    assert address_of(Served.MATCH, Settings(host=host)) == (asked, 8081)


def test_nothing_that_answers_is_no_answer(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    monkeypatch.setenv("MUTT_FORWARD_PORT", str(port))
    assert status_of(mutt.app, ["ready", "forward"]) == Exit.UNAVAILABLE
    assert f"nothing answers at 127.0.0.1:{port}" in capsys.readouterr().err


class Worker:
    """A worker's health server, and what it lacks."""

    def __init__(self) -> None:
        self.missing: dict[str, str] = {}
        self.server = HealthServer("match", CollectorRegistry(), lambda: self.missing)

    async def ready(self, *more: str) -> tuple[int, str]:
        assert self.server.address is not None
        environment = bare_environment(MUTT_MATCH_PORT=str(self.server.address[1]))
        command = [sys.executable, "-m", "ops.cli.mutt", "ready", "match", *more]
        process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=asyncio.subprocess.PIPE)
        said, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, said.decode()


@pytest_asyncio.fixture
async def worker() -> AsyncIterator[Worker]:
    made = Worker()
    await made.server.start("127.0.0.1", 0)
    yield made
    await made.server.close()


async def test_the_exit_status_is_the_workers_answer(worker: Worker) -> None:
    assert (await worker.ready())[0] == Exit.DONE
    worker.missing = {"kafka": "away"}
    status, said = await worker.ready()
    assert status == Exit.CHECK_FAILED
    assert '"kafka": "away"' in said
    assert (await worker.ready("--alive"))[0] == Exit.DONE
