"""The script of the demonstration: traffic, an outage under pressure, a killed worker, rejected alerts, replays."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ops.demo.board import Board, Figures
from ops.demo.desk import Operator
from ops.demo.generate import Planned
from ops.demo.pressure import ROOMY, thresholds
from ops.demo.traffic import send
from ops.demo.watch import until
from ops.demo.workers import Workers
from ops.devstack.stack import Stack
from schemas.dead_letters import Reason
from streams.core.pausing import PauseReason

QUIET_WITHIN_S = 60.0
RINGS_WITHIN_S = 60.0
"""The same for the pager, where one is: the outage must fill the window of a burn rate."""
SEEN_WITHIN_S = 10.0
"""How much longer the outage lasts at most, on a slow machine, until what it must show was seen."""

ROUNDS, LARGEST_ROUND = 2, 10_000
"""Remediation is to be seen at work: two rounds, where the largest that may be set allows it."""

# Where in the traffic the faults fall, in 26ths of it: with the default of 26 s these are seconds.
SLICES = 26
OUTAGE_FROM, DEFER_FROM, OUTAGE_TO, KILL_AT, REJECT_FROM = 15, 18, 20, 21, 22


@dataclass(slots=True)
class Happened:
    """What the script saw; the demonstration is only `ok` when its faults really took place."""

    killed_pid: int | None = None
    waited: int = 0
    """Alerts that waited at once until the outage was over, at most."""
    shed: int = 0
    rejected_host: str | None = None
    rejected: int = 0
    replayed: int = 0
    quiet: bool = False
    problems: list[str] = field(default_factory=list)


class Script:
    """Runs the steps one after the other on a prepared stack."""

    def __init__(self, stack: Stack, board: Board, workers: Workers, *, pager: bool = False) -> None:
        """`pager`: Prometheus watches, and the outage lasts until it rings."""
        self._stack = stack
        self._board = board
        self._workers = workers
        self._pager = pager
        self._operator = Operator(stack)
        self.happened = Happened()

    async def perform(self, records: Sequence[Planned], host: str | None) -> None:
        """The traffic with its faults, then the replays; ends when nothing is left to do.

        `host` is one whose alerts the traffic surely has; None for traffic that nobody knows.
        """
        board = self._board
        seconds = records[-1].at if records else 0.0
        unit, patience_s = seconds / SLICES, SEEN_WITHIN_S if host else 0.0
        board.say(f"sending {len(records)} records in {seconds:.0f} s")
        traffic = asyncio.create_task(send(self._stack.brokers, records, board))
        try:
            await self._part(traffic, OUTAGE_FROM * unit)
            await self._outage(traffic, unit, patience_s=patience_s)
            await self._part(traffic, (KILL_AT - OUTAGE_TO) * unit)
            await self._kill()
            await self._part(traffic, (REJECT_FROM - KILL_AT) * unit)
            await self._reject(host)
            await self._recover(patience_s)
            await traffic
        finally:
            traffic.cancel()
        board.say(f"all {board.acknowledged.total()} records are acknowledged; waiting until mutt is done with them")
        await self._settle("mutt to be done with the traffic")
        await self._repair()
        await self._remediate()
        if self._pager and board.rang:
            await until(board, lambda _: board.resolved_at is not None, "the pager to be quiet", RINGS_WITHIN_S)

    # -- steps --------------------------------------------------------------------------------------------------

    async def _outage(self, traffic: asyncio.Task[int], unit: float, *, patience_s: float) -> None:
        """The receiver is down: the backlog rises, alerts are shed, then intake pauses instead."""
        board = self._board
        await self._lower_thresholds(elapsed=OUTAGE_FROM * unit, outage=(OUTAGE_TO - OUTAGE_FROM) * unit)
        self._control(status=503)
        board.say(f"the receiver answers 503 for {(OUTAGE_TO - OUTAGE_FROM) * unit:.1f} s: alerts wait")
        await self._part(traffic, (DEFER_FROM - OUTAGE_FROM) * unit)
        await self._seen(lambda figures: bool(figures.shed), "the first event to be shed", patience_s)
        await self._operator.configure({"alerter_shed_mode": "defer"}, "shed no more: let the senders wait")
        board.say("alerter_shed_mode=defer: no more is shed, intake pauses until the backlog is below warn")
        await self._part(traffic, (OUTAGE_TO - DEFER_FROM) * unit)
        await self._seen(lambda figures: figures.held_by(PauseReason.BACKLOG) > 0, "intake to pause", patience_s)
        if self._pager:
            await until(board, lambda _: board.rang is not None, "the pager to ring", RINGS_WITHIN_S)
        self._control()
        self.happened.waited, self.happened.shed = board.most_pending, sum(board.figures.shed.values())
        shed = f"{self.happened.shed} were shed, least severe first" if self.happened.shed else "none was shed"
        waited = f"{self.happened.waited} alerts waited, {shed}"
        board.say(f"the receiver is back; {waited}; {board.most_paused} partitions paused")

    async def _lower_thresholds(self, *, elapsed: float, outage: float) -> None:
        """Thresholds that this outage will cross, by what the traffic brought so far."""
        await until(self._board, lambda _: True, "figures", SEEN_WITHIN_S)
        alerts = sum(self._board.figures.alerts.values())
        low = thresholds(alerts / elapsed * outage if elapsed else 0.0)
        await self._operator.configure(low.as_config, "an outage of a few seconds must cross them")
        self._board.say(f"thresholds of the backlog: warn {low.warn}, shed {low.shed}, hard {low.hard} alerts")

    async def _kill(self) -> None:
        """kill -9 for one match worker, and a new one in its place."""
        self.happened.killed_pid = await self._workers.kill("match-1")
        self._workers.start("match-3")
        self._board.say(f"killed match-1 (pid {self.happened.killed_pid}) with -9; match-3 takes its place")

    async def _reject(self, host: str | None) -> None:
        rejected = host or await self._busiest_host()
        self.happened.rejected_host = rejected
        if rejected is not None:
            self._control(reject_host=rejected, status=422)
            self._board.say("the receiver rejects one host's alerts with 422: they become dead letters")

    async def _recover(self, patience_s: float) -> None:
        """The backlog is gone and intake goes on: thresholds and mode are put back."""
        await self._seen(lambda figures: not figures.held_by(PauseReason.BACKLOG), "intake to go on", patience_s)
        await self._operator.configure(ROOMY.as_config | {"alerter_shed_mode": None}, "the outage is over")
        self._board.say("intake goes on; thresholds and mode are put back")

    async def _repair(self) -> None:
        """The cause is gone: the receiver takes the host's alerts again, and the operator replays what was refused."""
        host, board = self.happened.rejected_host, self._board
        self.happened.rejected = board.figures.alerts.get("dead", 0)
        self._control()
        if host is None or not self.happened.rejected:
            return
        board.say(f"the receiver is fixed; mutt dlq replay sends {self.happened.rejected} dead alerts again")
        done = await self._operator.command(
            "dlq", "replay", "--reason", "delivery", f"--host={host}", "--yes", "--json"
        )
        self.happened.replayed = done["sent"]
        await self._settle("the replayed alerts", lambda figures: not figures.alerts.get("dead", 0))
        board.say(f"replayed {self.happened.replayed}; dead alerts left: {board.figures.alerts.get('dead', 0)}")

    async def _remediate(self) -> None:
        """What was shed goes out again without a hand: remediation may act now that it finds nothing else to replay."""
        board, shed = self._board, self._board.figures.letters.get(Reason.SHED, 0)
        if not shed:
            return
        size = min(-(-shed // ROUNDS), LARGEST_ROUND)
        await self._operator.configure(
            {"remediation_enabled": "true", "remediation_batch_size": str(size)}, "the receiver is well again"
        )
        board.say(f"remediation is switched on: it replays {shed} shed letters by itself, {size} at a time")
        await self._settle("remediation", _remediated)
        done = board.figures.by_itself
        board.say(f"remediation sent {done.sent} in {done.rounds} rounds; {done.came_back} came back")

    # -- ways -----------------------------------------------------------------------------------------------------

    async def _settle(self, what: str, also: Callable[[Figures], bool] = lambda _: True) -> None:
        """Waits until nothing is left to do and intake goes on."""
        total = self._board.acknowledged.total()

        def settled(figures: Figures) -> bool:
            done = figures.quiet and figures.decided >= total and not figures.held_by(PauseReason.BACKLOG)
            return done and also(figures)

        self.happened.quiet = await until(self._board, settled, what, QUIET_WITHIN_S)
        if not self.happened.quiet:
            self.happened.problems.append(f"gave up waiting for {what}")

    async def _seen(self, condition: Callable[[Figures], bool], what: str, patience_s: float) -> None:
        if patience_s:
            await until(self._board, condition, what, patience_s)

    async def _part(self, traffic: asyncio.Task[int], seconds: float) -> None:
        """Lets time pass while traffic flows; an error of the traffic comes out at once."""
        done, _ = await asyncio.wait({traffic}, timeout=seconds)
        for task in done:
            task.result()

    def _control(self, **answer: Any) -> None:
        self._stack.control_sink(**answer)

    async def _busiest_host(self) -> str | None:
        connection = await self._stack.connect()
        try:
            found = await connection.fetchval(
                "SELECT hostname FROM alerts GROUP BY hostname ORDER BY count(*) DESC, hostname LIMIT 1"
            )
            return None if found is None else str(found)
        finally:
            await connection.close()


def _remediated(figures: Figures) -> bool:
    return not figures.letters.get(Reason.SHED, 0) and not figures.by_itself.unsettled
