"""The stack with nothing open, as tests start it: its lives are short, so that each service logs in again and again."""

from __future__ import annotations

import asyncio
import os
import shutil
from contextlib import suppress
from pathlib import Path

from ops.devstack.processes import StackFailed
from ops.devstack.secured import SecuredStack
from schemas.errors import BrokerUnavailable
from schemas.settings import Settings
from streams.adapters.broker_access import BrokerAccess
from streams.adapters.brokers import check_brokers
from tests.integration.conftest import ForkedStack
from tests.programs import run_text


class Secured(ForkedStack, SecuredStack):
    """Tokens and logins that live for seconds, so that each service logs in again and again. Not for fewer: a member
    whose connection ends as it joins its group begins anew, for ever where the machine is slow."""

    login_again_s = 12

    def start_kafka(self) -> None:
        shutil.copyfile(self.authorities, self.among_brokers)
        super().start_kafka()

    @property
    def among_brokers(self) -> Path:
        """The first authority for good, whatever is made of the others'."""
        return self.authorities.with_name("among-brokers.pem")

    async def run(self, *arguments: str, as_: Settings) -> None:
        done = await asyncio.to_thread(run_text, "mutt", *arguments, environment=self.surroundings(as_), within=120)
        if done.returncode:
            raise StackFailed(done.stderr)

    def surroundings(self, settings: Settings) -> dict[str, str]:
        return self.environment(**{name: getattr(settings, name) for name in settings.__struct_fields__})


def sessions(secured: Secured, name: str) -> set[str]:
    """A service's connections to Kafka."""
    return {row[9] for row in _sockets(secured, name) if row[2].endswith(f":{secured.kafka.port:04X}")}


def listens_at(secured: Secured, name: str) -> set[int]:
    """The ports of a service."""
    return {int(row[1].rpartition(":")[2], 16) for row in _sockets(secured, name) if row[3] == "0A"}


def _sockets(secured: Secured, name: str) -> list[list[str]]:
    """Its rows of the kernel's tables of TCP: local and remote address, state, and the inode in the tenth place."""
    held: set[str] = set()
    for descriptor in Path(f"/proc/{secured.children[name].pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            held.add(os.readlink(descriptor))
    tables = [Path(f"/proc/net/{table}").read_text().splitlines()[1:] for table in ("tcp", "tcp6")]
    rows = [line.split() for lines in tables for line in lines]
    return [row for row in rows if f"socket:[{row[9]}]" in held]


async def logged_in_again(secured: Secured, before: dict[str, set[str]]) -> bool:
    """Each has another connection than it had."""
    return all(sessions(secured, name) - held for name, held in before.items())


async def is_refused(brokers: BrokerAccess) -> bool:
    try:
        await check_brokers(brokers)
    except BrokerUnavailable as error:
        return "the login is refused" in str(error)
    return False
