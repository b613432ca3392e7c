"""What only the workers' metrics tell: the backlog's level, the breaker, time paused."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from aiohttp import ClientError, ClientSession, ClientTimeout
from prometheus_client.parser import text_string_to_metric_families

from ops.demo.board import Told
from ops.devstack.stack import Stack
from streams.core.backpressure import Level
from streams.core.breaker import BreakerState
from streams.core.remediation import Activity

ANSWER_WITHIN_S = 1.0


@dataclass(frozen=True, slots=True)
class Reading:
    """What one worker said of itself."""

    level: int = 0
    breaker: int = 0
    opened: int = 0
    probes_failed: int = 0
    remediation: int = 0
    paused_s: Mapping[str, float] = field(default_factory=dict)


def read(exposition: str) -> Reading:
    """One worker's answer to /metrics."""
    samples = [sample for family in text_string_to_metric_families(exposition) for sample in family.samples]

    def total(name: str, **labels: str) -> int:
        alike = (each for each in samples if each.name == name and labels.items() <= each.labels.items())
        return int(sum(sample.value for sample in alike))

    changes = "mutt_circuit_breaker_state_changes_total"
    return Reading(
        level=total("mutt_backlog_level"),
        breaker=total("mutt_circuit_breaker_state"),
        opened=total(changes, from_state="closed", to_state="open"),
        probes_failed=total(changes, from_state="half_open", to_state="open"),
        remediation=total("mutt_remediation_state"),
        paused_s={
            sample.labels["reason"]: sample.value
            for sample in samples
            if sample.name == "mutt_partitions_paused_seconds_total" and sample.value
        },
    )


def together(living: Iterable[Reading], ever: Iterable[Reading]) -> Told:
    """What the fleet says: gauges of those that run, counters of all that ever did."""
    now, all_of_them = list(living), list(ever)
    paused_s: Counter[str] = Counter()
    for reading in all_of_them:
        paused_s.update(reading.paused_s)
    return Told(
        level=Level(max((reading.level for reading in now), default=0)),
        breaker=_word(BreakerState(max((reading.breaker for reading in now), default=0))),
        remediation=_word(Activity(max((reading.remediation for reading in now), default=0))),
        opened=sum(reading.opened for reading in all_of_them),
        probes_failed=sum(reading.probes_failed for reading in all_of_them),
        paused_s=dict(paused_s),
    )


def _word(state: IntEnum) -> str:
    return state.name.lower().replace("_", "-")


class Gauges:
    """Asks workers by their port; what one last said stands until it answers again."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._readings: dict[int, Reading] = {}
        """By pid."""

    async def ask(self, session: ClientSession, ports: Mapping[int, int]) -> Told:
        """`ports` by the pid of every worker that runs."""
        await asyncio.gather(*(self._ask(session, pid, port) for pid, port in ports.items()))
        living = [reading for pid, reading in self._readings.items() if pid in ports]
        return together(living, self._readings.values())

    async def _ask(self, session: ClientSession, pid: int, port: int) -> None:
        """A worker that starts, ends or is slow does not answer: then it is asked again next time."""
        try:
            url, timeout = self._stack.url(port, "/metrics"), ClientTimeout(total=ANSWER_WITHIN_S)
            async with session.get(url, timeout=timeout, ssl=self._stack.trusts or True) as answer:
                self._readings[pid] = read(await answer.text())
        except (ClientError, TimeoutError):
            return
