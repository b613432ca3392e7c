"""The servers of a run, which every program reaches through the proxy alone."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from ops.devstack.layout import Layout, free_port
from ops.devstack.postgres import Postgres
from schemas.secret_names import DB_PASSWORD
from tests.chaos.clock import NO_CLOCK, Clock
from tests.chaos.disk import NO_DISK, SmallDisk, small_disk
from tests.chaos.frames import KafkaFramer, PostgresFramer
from tests.chaos.plan import Plan
from tests.chaos.proxy import Link, Proxy
from tests.integration.conftest import ForkedStack


class ChaosStack(ForkedStack):
    """A stack whose programs reach its servers through links."""

    def __init__(self, home: Path, proxy: Proxy, disk: SmallDisk | None = None) -> None:
        super().__init__(home, fsync=False)
        self.disk = disk
        """Where PostgreSQL has its data, if it can be filled."""
        self.clock: Clock | None = None
        """What `AT_CLOCK` looks at, if it can be set."""
        if disk is not None:
            layout = Layout(disk.path / "home")
            layout.create()
            self.postgres = Postgres(layout, self.layout.secret(DB_PASSWORD), fsync=False)
        inside = free_port()
        self.links: dict[str, Link] = {
            "kafka": proxy.link("kafka", inside, KafkaFramer),
            "postgres": proxy.link("postgres", self.postgres.port, PostgresFramer),
            "receiver": proxy.link("receiver", self.sink_port),
            "api": proxy.link("api", self.api_port),
        }
        self.kafka.proxied = (inside, self.links["kafka"].port)
        self.database_url = self.settings.database_url

    def start_servers(self) -> None:
        super().start_servers()
        self.links["postgres"].target = self.postgres.port
        self.links["receiver"].target = self.sink_port

    def environment(self, **changes: Any) -> dict[str, str]:
        ours, links = f":{self.postgres.port}/", self.links
        through = {
            "kafka_bootstrap": f"127.0.0.1:{links['kafka'].port}",
            "database_url": self.database_url.replace(ours, f":{links['postgres'].port}/"),
            "webhook_url": f"http://127.0.0.1:{links['receiver'].port}/alerts",
        }
        return super().environment(**through | changes)


@contextmanager
def servers(home: Path, plan: Plan) -> Iterator[ChaosStack]:
    """What the plan needs and this machine has."""
    wanted = {step.do for step in plan.steps}
    with ExitStack() as parts:
        disk = parts.enter_context(small_disk(768 + plan.events // 150)) if _possible("disk", wanted) else None
        stack = ChaosStack(home, parts.enter_context(Proxy()), disk)
        stack.clock = Clock(stack.layout.home) if _possible("clock", wanted) else None
        try:
            stack.start_servers()
            yield stack
        finally:
            for link in stack.links.values():
                link.heal()
            _end(stack)


MISSING = {"disk": NO_DISK, "clock": NO_CLOCK}
"""Why a fault is not possible on this machine, by its name; None where it is."""


def _possible(do: str, wanted: set[str]) -> bool:
    return do in wanted and MISSING[do] is None


def _end(stack: ChaosStack) -> None:
    for child in stack.children.values():
        child.process.send_signal(signal.SIGCONT)
        child.process.kill()
    for child in stack.children.values():
        child.process.wait()
    stack.kafka.kill()
    stack.postgres.stop()
