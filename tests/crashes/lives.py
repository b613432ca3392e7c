"""Programs that die at a crash point, and what is seen of them from outside."""

from __future__ import annotations

import asyncio
import signal
import sys

from ops.devstack.processes import Child
from tests.crashes.dying import LAST_WORDS
from tests.crashes.points import Point
from tests.integration.burial import bury
from tests.integration.conftest import Database, System
from tests.integration.pipeline import until

DIES_WITHIN_S = 60.0
GROUPS = {"match": "mutt-match", "forward": "mutt-forward", "dead-letters": "mutt-dead-letters"}

_TRANSACTIONS = """
SELECT count(*) FROM pg_stat_activity
 WHERE datname = current_database() AND xact_start IS NOT NULL AND pid <> pg_backend_pid()
"""


async def die_at(
    system: System, point: Point, nth: int = 1, arguments: tuple[str, ...] = (), **settings: object
) -> None:
    """Runs the program until it dies at the point, and waits until the servers know."""
    child = start(system, point, nth, arguments, **settings)
    await dead_at(system, child, point)


def start(system: System, point: Point, nth: int = 1, arguments: tuple[str, ...] = (), **settings: object) -> Child:
    """Starts the program that will die at the point."""
    argv = [sys.executable, "-m", "tests.chaos.worker", point.role, "--crash", f"{point.name}:{nth}"]
    settings = {"database_url": system.settings.database_url} | settings
    return system.stack.spawn("doomed", [*argv, *(("--", *arguments) if arguments else ())], **settings)


met: list[str] = []
"""The points at which programs have died in this process, in order."""


async def dead_at(system: System, child: Child, point: Point) -> None:
    """It died by SIGKILL at this very point; what it had begun in PostgreSQL has ended; its group forgets it."""
    status = await asyncio.to_thread(child.process.wait, DIES_WITHIN_S)
    lines = child.tail().splitlines()
    assert (status, lines[-1:]) == (-signal.SIGKILL, [LAST_WORDS.format(name=point.name)]), child.tail()
    met.append(point.name)
    await until(lambda: quiet(system.database), "PostgreSQL has ended what the dead one began")
    if point.role in GROUPS:
        await bury(system.stack.kafka.bootstrap, GROUPS[point.role])


async def quiet(database: Database) -> bool:
    """No transaction is open."""
    return not await database.pool.fetchval(_TRANSACTIONS)
