"""The script of the demonstration: traffic, an outage, a killed worker, rejected alerts, a replay."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from ops.demo.board import Board, Figures
from ops.demo.fleet import DEVELOPMENT_HOSTS, TEAMS
from ops.demo.generate import THRESHOLD, Planned
from ops.demo.traffic import send
from ops.demo.watch import Watcher, connect, until
from ops.devstack.processes import StackFailed
from ops.devstack.provision import provision
from ops.devstack.stack import WORKERS, Stack
from schemas.topics import INGEST

SAMPLE_RULES = "sample_rules.yaml"
QUIET_WITHIN_S = 60.0
READY_WITHIN_S = 45.0
COMMAND_WITHIN_S = 60.0

CONFIG = {
    "unhandled_threshold": str(THRESHOLD),
    "moog_rate_limit": "1000",  # the default of 50 a second would make the demonstration long
    "moog_retry_base_delay": "0.2",
    "moog_retry_max_delay": "2",
    "circuit_breaker_timeout": "1",  # and so would five minutes of an open breaker
    "remediation_enabled": "false",  # the replay is the script's to show
    "alerter_queue_warn_threshold": "50000",
    "alerter_queue_shed_threshold": "100000",
    "alerter_queue_hard_limit": "200000",
}
"""What the demonstration changes in dynamic_config."""

# Where in the traffic the faults fall, in 26ths of it: with the default of 26 s these are seconds.
SLICES = 26
OUTAGE_FROM, OUTAGE_TO, KILL_AT, REJECT_FROM = 15, 20, 21, 22


@dataclass(slots=True)
class Happened:
    """What the script saw; the demonstration is only `ok` when its faults really took place."""

    killed_pid: int | None = None
    most_pending: int = 0
    rejected_host: str | None = None
    rejected: int = 0
    replayed: int = 0
    quiet: bool = False
    problems: list[str] = field(default_factory=list)


class Script:
    """Runs the steps one after the other on a started stack's servers."""

    def __init__(self, stack: Stack, board: Board, watcher: Watcher) -> None:
        self._stack = stack
        self._board = board
        self._watcher = watcher
        self.happened = Happened()

    async def prepare(self, rules: Path | None) -> None:
        """Topics, schema, rules, hosts, configuration, workers, API. Raises StackFailed."""
        stack, board = self._stack, self._board
        board.say("creating topics, migrating the database")
        await provision(stack)
        with resources.as_file(resources.files("ops.demo").joinpath(SAMPLE_RULES)) as sample:
            imported = await self._command(
                "rules", "import", str(rules or sample), "--yes", "--json", "--actor", "demo"
            )
        board.say(f"{imported['added']} rules imported")
        await self._configure()
        for name in WORKERS:
            stack.start_worker(name)
        board.say("started " + ", ".join(WORKERS))
        await asyncio.to_thread(stack.start_api)
        board.say("the API answers")
        await self._workers_ready()

    async def perform(self, records: Sequence[Planned], host: str | None) -> None:
        """The traffic with its faults, then the replay; ends when nothing is left to do."""
        board = self._board
        seconds = records[-1].at if records else 0.0
        unit = seconds / SLICES
        board.say(f"sending {len(records)} records in {seconds:.0f} s")
        traffic = asyncio.create_task(send(self._stack.kafka.bootstrap, records, board))
        try:
            await self._part(traffic, OUTAGE_FROM * unit)
            await self._outage(traffic, (OUTAGE_TO - OUTAGE_FROM) * unit)
            await self._part(traffic, (KILL_AT - OUTAGE_TO) * unit)
            await self._kill()
            await self._part(traffic, (REJECT_FROM - KILL_AT) * unit)
            await self._reject(host)
            await traffic
        finally:
            traffic.cancel()
        board.say(f"all {board.acknowledged.total()} records are acknowledged; waiting until mutt is done with them")
        await self._settle("mutt to be done with the traffic")
        await self._repair()

    # -- steps --------------------------------------------------------------------------------------------------

    async def _configure(self) -> None:
        """Hosts, teams and configuration, by SQL; the database writes the audit of it (I8)."""
        connection = await connect(self._stack)
        try:
            async with connection.transaction():
                await connection.execute("SELECT set_config('mutt.actor', 'demo', true)")
                await connection.executemany("INSERT INTO dynamic_config (key, value) VALUES ($1, $2)", CONFIG.items())
                hosts = [(host,) for host in DEVELOPMENT_HOSTS]
                await connection.executemany("INSERT INTO development_hosts (hostname) VALUES ($1)", hosts)
                teams = "INSERT INTO device_teams (hostname, team_assignment) VALUES ($1, $2)"
                await connection.executemany(teams, TEAMS.items())
        finally:
            await connection.close()

    async def _workers_ready(self) -> None:
        """Waits until every ingest partition is owned: a row of progress exists for each that a worker took."""
        wanted = sum(topic.partitions for topic in INGEST)
        connection = await connect(self._stack)
        try:
            async with asyncio.timeout(READY_WITHIN_S):
                while await connection.fetchval("SELECT count(*) FROM partition_progress") < wanted:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
        except TimeoutError:
            tails = "\n".join(f"{name}: {child.tail(500)}" for name, child in self._stack.children.items())
            raise StackFailed(f"the match workers take no partitions:\n{tails}") from None
        finally:
            await connection.close()
        self._board.say("the match workers own every partition")

    async def _outage(self, traffic: asyncio.Task[int], seconds: float) -> None:
        board = self._board
        self._control(status=503)
        board.say(f"the receiver answers 503 for {seconds:.1f} s: alerts wait")
        watching = asyncio.create_task(self._most_pending())
        await self._part(traffic, seconds)
        await until(board, lambda _: True, "figures", 5.0)
        watching.cancel()
        self._note_pending()
        self._control()
        board.say(f"the receiver is back; {self.happened.most_pending} alerts waited")

    async def _most_pending(self) -> None:
        while True:
            self._note_pending()
            await asyncio.sleep(0.1)

    def _note_pending(self) -> None:
        now = self._board.figures.alerts.get("pending", 0)
        self.happened.most_pending = max(self.happened.most_pending, now)

    async def _kill(self) -> None:
        """kill -9 for one match worker, and a new one in its place."""
        victim = self._stack.children["match-1"]
        self._watcher.expected_dead.add("match-1")
        victim.signal(signal.SIGKILL)
        await asyncio.to_thread(victim.process.wait)
        self.happened.killed_pid = victim.pid
        self._stack.start_worker("match-3")
        self._stack.remember()
        self._board.say(f"killed match-1 (pid {victim.pid}) with -9; match-3 takes its place")

    async def _reject(self, host: str | None) -> None:
        rejected = host or await self._busiest_host()
        self.happened.rejected_host = rejected
        if rejected is not None:
            self._control(reject_host=rejected, status=422)
            self._board.say("the receiver rejects one host's alerts with 422: they become dead letters")

    async def _repair(self) -> None:
        """The cause is gone: the receiver takes the host's alerts again, and the operator replays what was refused."""
        host, board = self.happened.rejected_host, self._board
        self.happened.rejected = board.figures.alerts.get("dead", 0)
        self._control()
        if host is None or not self.happened.rejected:
            return
        board.say(f"the receiver is fixed; mutt dlq replay sends {self.happened.rejected} dead alerts again")
        done = await self._command("dlq", "replay", "--reason", "delivery", f"--host={host}", "--yes", "--json")
        self.happened.replayed = done["sent"]
        await self._settle("the replayed alerts", lambda figures: not figures.alerts.get("dead", 0))
        board.say(f"replayed {self.happened.replayed}; dead alerts left: {board.figures.alerts.get('dead', 0)}")

    async def _settle(self, what: str, also: Any = lambda figures: True) -> None:
        total = self._board.acknowledged.total()

        def settled(figures: Figures) -> bool:
            return figures.quiet and figures.decided >= total and bool(also(figures))

        self.happened.quiet = await until(self._board, settled, what, QUIET_WITHIN_S)
        if not self.happened.quiet:
            self.happened.problems.append(f"gave up waiting for {what}")

    # -- ways -----------------------------------------------------------------------------------------------------

    async def _part(self, traffic: asyncio.Task[int], seconds: float) -> None:
        """Lets time pass while traffic flows; an error of the traffic comes out at once."""
        done, _ = await asyncio.wait({traffic}, timeout=seconds)
        for task in done:
            task.result()

    def _control(self, **answer: Any) -> None:
        self._stack.control_sink(**answer)

    async def _busiest_host(self) -> str | None:
        connection = await connect(self._stack)
        try:
            found = await connection.fetchval(
                "SELECT hostname FROM alerts GROUP BY hostname ORDER BY count(*) DESC, hostname LIMIT 1"
            )
            return None if found is None else str(found)
        finally:
            await connection.close()

    async def _command(self, *arguments: str) -> dict[str, Any]:
        """Runs a `mutt` command as an operator would, and reads the JSON it prints. Raises StackFailed."""
        process = await asyncio.create_subprocess_exec(
            *self._stack.mutt(*arguments),
            env=self._stack.environment(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(COMMAND_WITHIN_S):
                out, err = await process.communicate()
        except TimeoutError:
            process.kill()
            raise StackFailed(f"mutt {arguments[0]} {arguments[1]} does not end") from None
        if process.returncode:
            raise StackFailed(
                f"mutt {arguments[0]} {arguments[1]} ended with {process.returncode}: {err.decode()[-500:]}"
            )
        answer: dict[str, Any] = json.loads(out.splitlines()[-1])
        return answer
