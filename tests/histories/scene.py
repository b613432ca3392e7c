"""What one history stands on: time, servers, topics and groups, and what was seen to go wrong on the way."""

from __future__ import annotations

from random import Random

from schemas.topics import ALERTS, DLQ, SYSLOG
from tests.histories.broker import Broker, Group, Place
from tests.histories.loop import VirtualLoop
from tests.histories.servers import Servers
from tests.histories.steps import Plan
from tests.histories.tables import Tables
from tests.histories.workers import SimClock

TOPIC, PARTITIONS, ALERT_PARTITIONS = SYSLOG.name, 2, 2
PLACES: tuple[Place, ...] = tuple((TOPIC, number) for number in range(PARTITIONS))
ALERT_PLACES: tuple[Place, ...] = tuple((ALERTS.name, number) for number in range(ALERT_PARTITIONS))


class Scene:
    """`seen` is what went wrong on the way: detector, where, what. `effects` counts faults where they took effect."""

    def __init__(self, plan: Plan, loop: VirtualLoop) -> None:
        self.plan, self.loop = plan, loop
        self.random = Random(plan.seed ^ 0x5EED)
        self.broker = Broker(loop, {TOPIC: PARTITIONS, ALERTS.name: ALERT_PARTITIONS, DLQ.name: 1})
        self.tables = Tables()
        self.servers = Servers(loop, self.tables, self.broker, self.random)
        self.effects = self.servers.effects
        self.clock = SimClock(loop)
        self.seen: list[tuple[str, str, str]] = []
        self.match = Group(loop, list(PLACES), self.servers.delay)
        self.forward = Group(loop, list(ALERT_PLACES), self.servers.delay)

    def group(self, role: str) -> Group:
        return self.match if role == "match" else self.forward
