"""Bugs in what holds back: pauses, the gate of the lanes, and which severity is shed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from faust.types.tuples import TP

from streams.core import backpressure, disposition
from streams.core.backpressure import LEAST_SEVERE, PressurePolicy
from streams.core.batches import Record
from streams.driver import BatchConsumer
from streams.intake import Intake
from streams.pauses import PartitionId
from tests.planted.patches import Collection, Patches

BUGS = Collection()


@BUGS.bug(16, "partitions are paused by Faust's own call, which drops what was polled already", "lost", "stuck",
          scenario="pauses", stalls=True)  # fmt: skip
def fausts_own_pause(patches: Patches) -> None:
    hand_on = BatchConsumer._hand_on

    async def pause_exactly(self: BatchConsumer, wanted: frozenset[tuple[str, int]]) -> None:
        assigned = {TP(at.topic, at.partition) for at in self.assignment()}
        paused = {TP(*at) for at in wanted} & assigned
        self.pause_partitions(paused)
        self.resume_partitions(assigned - paused)

    async def _hand_on(self: BatchConsumer, polled: Mapping[Any, Sequence[Record]], generation: int) -> None:
        for partition, records in polled.items():
            if TP(partition.topic, partition.partition) in self._get_active_partitions():  # as Faust does
                await hand_on(self, {partition: records}, generation)

    patches.replace(BatchConsumer, "pause_exactly", pause_exactly)
    patches.replace(BatchConsumer, "_hand_on", _hand_on)


@BUGS.bug(17, "a rebalance ends the pause for the backlog, and only a change of its level brings it back", "cap",
          scenario="rebalance", stalls=True)  # fmt: skip
def pause_forgotten_at_a_rebalance(patches: Patches) -> None:
    apply = Intake.apply

    def assign(self: Intake, partitions: Iterable[PartitionId]) -> None:
        self._partitions = list(partitions)
        self._held.clear()
        self._opened.set()

    def apply_at_a_change(self: Intake) -> None:
        policy = PressurePolicy.of(self._config())
        reached = backpressure.level_between(self.level, self.backlog.at_least, self.depth, policy)
        if reached is not self.level or not self._counted_at:
            apply(self)

    patches.replace(Intake, "assign", assign)
    patches.replace(Intake, "apply", apply_at_a_change)


@BUGS.bug(18, "the severity that is never shed is off by one", "shed", scenario="shed", histories=True)
def severity_cut_off_by_one(patches: Patches) -> None:
    def severity_cut(depth: int, policy: PressurePolicy) -> int | None:
        last = policy.floor
        if depth < policy.shed or last > LEAST_SEVERE:
            return None
        steps = (depth - policy.shed) * (LEAST_SEVERE - last) // policy.shed
        return max(last, LEAST_SEVERE - steps)

    patches.replace(disposition, "severity_cut", severity_cut)
