"""Makes a started stack ready for the demonstration: topics, schema, rules, hosts, configuration, workers, API."""

from __future__ import annotations

import asyncio
from importlib import resources
from pathlib import Path

from ops.demo.board import Board
from ops.demo.desk import ACTOR, Operator
from ops.demo.fleet import DEVELOPMENT_HOSTS, TEAMS
from ops.demo.generate import THRESHOLD
from ops.demo.pressure import FLOOR, ROOMY
from ops.demo.workers import Workers
from ops.devstack.processes import StackFailed
from ops.devstack.provision import provision
from ops.devstack.stack import WORKERS, Stack
from schemas.topics import INGEST
from streams.adapters.transactions import sign
from streams.core.authors import Author

SAMPLE_RULES = "sample_rules.yaml"
READY_WITHIN_S = 45.0

CONFIG = {
    "unhandled_threshold": str(THRESHOLD),
    "moog_rate_limit": "1000",  # the default of 50 a second would make the demonstration long
    "moog_retry_base_delay": "0.2",
    "moog_retry_max_delay": "2",
    "circuit_breaker_timeout": "1",  # and so would five minutes of an open breaker
    **ROOMY.as_config,
    "alerter_shed_severity_floor": str(FLOOR),
    "remediation_enabled": "false",  # it would replay what the operator is to replay by hand; the script switches it on
    "remediation_interval": "1",
}
"""What the demonstration changes in dynamic_config before it begins."""


async def prepare(stack: Stack, board: Board, workers: Workers, rules: Path | None) -> None:
    """Everything up to the first event. Raises StackFailed."""
    operator = Operator(stack)
    board.say("creating topics, migrating the database")
    await provision(stack)
    with resources.as_file(resources.files("ops.demo").joinpath(SAMPLE_RULES)) as sample:
        imported = await operator.command("rules", "import", str(rules or sample), "--yes", "--json", "--actor", ACTOR)
    board.say(f"{imported['added']} rules imported")
    await operator.configure(CONFIG, "the demonstration must be short")
    await _add_hosts(stack)
    for name in WORKERS:
        workers.start(name)
    board.say("started " + ", ".join(WORKERS))
    await asyncio.to_thread(stack.start_api)
    stack.remember()
    board.say("the API answers")
    await _workers_ready(stack)
    board.say("the match workers own every partition")


async def _add_hosts(stack: Stack) -> None:
    """Hosts and teams, by SQL; the database writes the audit of it (I8)."""
    connection = await stack.connect()
    try:
        async with connection.transaction():
            await sign(connection, Author(ACTOR))
            hosts = [(host,) for host in DEVELOPMENT_HOSTS]
            await connection.executemany("INSERT INTO development_hosts (hostname) VALUES ($1)", hosts)
            teams = "INSERT INTO device_teams (hostname, team_assignment) VALUES ($1, $2)"
            await connection.executemany(teams, TEAMS.items())
    finally:
        await connection.close()


async def _workers_ready(stack: Stack) -> None:
    """Waits until every ingest partition is owned: a row of progress exists for each that a worker took."""
    wanted = sum(topic.partitions for topic in INGEST)
    connection = await stack.connect()
    try:
        async with asyncio.timeout(READY_WITHIN_S):
            while await connection.fetchval("SELECT count(*) FROM partition_progress") < wanted:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
    except TimeoutError:
        tails = "\n".join(f"{name}: {child.tail(500)}" for name, child in stack.children.items())
        raise StackFailed(f"the match workers take no partitions:\n{tails}") from None
    finally:
        await connection.close()
