"""The stack with nothing open, as tests start it: its lives are short, so that each service logs in again and again."""

from __future__ import annotations

import asyncio
import os
import shutil
from contextlib import suppress
from pathlib import Path

from msgspec.structs import replace

from ops.devstack.processes import StackFailed
from ops.devstack.secured import SecuredStack
from schemas.errors import BrokerUnavailable
from schemas.settings import Settings
from streams.adapters.broker_access import BrokerAccess
from streams.adapters.brokers import check_brokers
from tests.integration.conftest import ForkedStack
from tests.programs import run_text


class Secured(ForkedStack, SecuredStack):
    """Tokens and logins that live for seconds, so that each service logs in again and again."""

    login_again_s = 4

    def start_kafka(self) -> None:
        shutil.copyfile(self.authorities, self._among_brokers)
        super().start_kafka()

    @property
    def administrator(self) -> Settings:
        """Brokers show him what they show one another, of the first authority for good."""
        return replace(super().administrator, kafka_cacert=str(self._among_brokers))

    @property
    def _among_brokers(self) -> Path:
        return self.authorities.with_name("among-brokers.pem")

    async def run(self, *arguments: str, as_: Settings) -> None:
        done = await asyncio.to_thread(run_text, "mutt", *arguments, environment=self.surroundings(as_), within=120)
        if done.returncode:
            raise StackFailed(done.stderr)

    def surroundings(self, settings: Settings) -> dict[str, str]:
        return self.environment(**{name: getattr(settings, name) for name in settings.__struct_fields__})


def sessions(secured: Secured, name: str) -> set[str]:
    """A service's connections to Kafka."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    to_kafka = {f"socket:[{row[9]}]" for row in rows if row[2].endswith(f":{secured.kafka.port:04X}")}
    held: set[str] = set()
    for descriptor in Path(f"/proc/{secured.children[name].pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            held.add(os.readlink(descriptor))
    return held & to_kafka


async def logged_in_again(secured: Secured, before: dict[str, set[str]]) -> bool:
    """Each has another connection than it had."""
    return all(sessions(secured, name) - held for name, held in before.items())


async def is_refused(brokers: BrokerAccess) -> bool:
    try:
        await check_brokers(brokers)
    except BrokerUnavailable as error:
        return "the login is refused" in str(error)
    return False
