"""The workers of a history: the product's roles, on fakes of what they reach out to."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from schemas.config import DynamicConfig
from schemas.errors import StoreUnavailable
from streams.adapters.batches import refused_offset
from streams.agents.delivery_hold import HeldCaps
from streams.agents.forward_alerts import Forwarder
from streams.agents.match_lane import Matching
from streams.core.matching import Knowledge
from streams.core.receivers.webhook import WEBHOOK
from streams.forward_role import ForwardRole
from streams.intake import Intake
from streams.lanes import Caps, Lanes
from streams.match_role import ConsumerLog, MatchRole
from streams.pauses import Pauses
from streams.tasks import Tasks
from tests.histories.broker import START, Group, Place
from tests.histories.consumer import Link, SimConsumer
from tests.histories.loop import Process, VirtualLoop
from tests.histories.servers import Servers, SimOutbox, SimStore

CAPS = Caps(batch_records=6, held_records=8)
"""Small, so that a history of some dozen records reaches them."""
POLLED = 4
"""Records of one partition in one poll."""


class SimClock:
    """The Clock port: a wall clock that steps, beside seconds that only pass."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self.skew_s = 0.0

    def now(self) -> dt.datetime:
        return START + dt.timedelta(seconds=self._loop.time() + self.skew_s)

    def monotonic(self) -> float:
        return self._loop.time()


@dataclass
class Site:
    """What all workers of a history share, and how they tell of themselves."""

    loop: VirtualLoop
    servers: Servers
    random: Random
    clock: SimClock
    knowledge: Callable[[], Knowledge]
    died: Callable[[Any, BaseException], None]
    killed: Callable[[Any], None]
    polled: Callable[[Any, Place, int], None]
    committed: Callable[[Any, Place, int], None]


class SimWorker:
    """One process: a consumer of its group, and tasks that a kill ends between any two turns."""

    def _begin(self, name: str, site: Site, group: Group) -> None:
        self.name_of_worker = name
        self.site, self.group = site, group
        self.process = Process(name, lambda: site.killed(self))
        self.knowledge = site.knowledge()
        """What it knows of rules and configuration."""
        self.told_generation = -1
        self.stopping = False
        """Its end is no crash."""
        self.places: list[Place] = []
        link = Link(
            delay=site.servers.delay,
            answers=lambda: site.servers.fault("broker") is None,
            polled=self._polled,
            committed=lambda place, offset: site.committed(self, place, offset),
        )
        self.batch_consumer = SimConsumer(
            site.loop,
            site.servers.broker,
            group,
            self,
            most=POLLED,
            link=link,  # type: ignore[arg-type]
        )

    def _polled(self, place: Place, records: int) -> None:
        self.site.polled(self, place, records)
        self.look()

    def look(self) -> None: ...

    def start(self) -> None:
        """Opens it and joins the group."""
        self.site.loop.create_task(self._run(), context=self.process.context)

    async def _run(self) -> None:
        consumer = self.batch_consumer
        await self.opened()
        spawn = self._tasks.spawn  # type: ignore[attr-defined]
        spawn(self.work(consumer), "agent")  # type: ignore[attr-defined]
        spawn(consumer.run(), "consumer")
        spawn(consumer.commit_forever(), "commit")
        self.site.servers.broker.changed.append(consumer.look)
        self.group.join(self)  # type: ignore[arg-type]

    async def opened(self) -> None: ...

    def knows(self, knowledge: Knowledge) -> None:
        """Rules and configuration changed; of two versions it keeps the newer."""
        if knowledge.rule_set.version > self.knowledge.rule_set.version:
            self.knowledge = knowledge

    def told_revoked(self) -> None:
        """As the driver and `_follow_assignment` do it."""
        self.batch_consumer.revoke()
        self.places = []
        self.revoked()  # type: ignore[attr-defined]

    def told_assigned(self, places: list[Place], generation: int) -> None:
        if generation != self.group.generation:
            return
        self.batch_consumer.assign(places, generation)
        self.told_generation, self.places = generation, places
        self.assigned(sorted(places))  # type: ignore[attr-defined]

    def end(self) -> None:
        """It is over for this one; whoever reads of it must not wake it."""
        if self.batch_consumer.look in self.site.servers.broker.changed:
            self.site.servers.broker.changed.remove(self.batch_consumer.look)

    def writer(self) -> tuple[str, int]:
        return self.name_of_worker, self.told_generation


class SimMatch(SimWorker, MatchRole):
    """The match worker; `presses` makes it count the backlog all the time."""

    def __init__(self, name: str, site: Site, group: Group, *, presses: bool) -> None:
        self._begin(name, site, group)
        self._presses, self._looks = presses, False
        self._clock = site.clock
        self._pauses = Pauses(site.clock)
        self._tasks = Tasks(lambda error: site.died(self, error))
        self._assigned: list[Place] = []
        self._reconciling = False
        self._app: Any = self
        store = SimStore(site.servers, self.writer)
        self._intake = Intake(
            reader=store,
            pauses=self._pauses,
            config=self._config,
            clock=site.clock,
            fleet_partitions=len(group._places),
            spread=site.random.random,
        )
        self._outbox = SimOutbox(site.servers)
        matching = Matching(
            store=store,
            outbox=self._outbox,
            log_position=ConsumerLog(lambda: self.batch_consumer),
            knowledge=self._knowledge,
            pauses=self._pauses,
            intake=self._intake,
            clock=site.clock,
            refused_offset=refused_offset,
            transactions=1 if site.random.random() < 0.5 else 2,
            slow_commit_s=0.3,
            fenced_rest_s=0.5,
        )
        self._lanes = Lanes(matching.lane, caps=CAPS, on_death=lambda error: site.died(self, error))

    async def opened(self) -> None:
        if self._presses:
            self._tasks.spawn(self._intake.run(), "intake")
            await self._intake.first()
        else:
            self._intake.apply()

    def knows(self, knowledge: Knowledge) -> None:
        super().knows(knowledge)
        if not self._presses:
            self._intake.apply()
            self.look()

    def look(self) -> None:
        """Without `Intake.run` intake is looked at while there is anything in hand, or it is shut."""
        if not (self._presses or self._looks):
            self._looks = True
            self.site.loop.call_later(0.25, self._look)

    def _look(self) -> None:
        self._looks = False
        self._intake.apply()
        if not self._intake.open:
            self._tasks.spawn(self._count(), "count")
        if self._lanes.held_records or not self._intake.open:
            self.look()

    async def _count(self) -> None:
        with contextlib.suppress(StoreUnavailable):
            await self._intake.count()

    def _knowledge(self) -> Knowledge:
        return self.knowledge


class _Config:
    """What ForwardRole asks of its watcher."""

    def __init__(self, worker: SimForward) -> None:
        self._worker = worker

    @property
    def current(self) -> DynamicConfig:
        return self._worker.knowledge.rule_set.config


class SimForward(SimWorker, ForwardRole):
    """The forward worker."""

    def __init__(self, name: str, site: Site, group: Group) -> None:
        self._begin(name, site, group)
        self._clock = site.clock
        self._pauses = Pauses(site.clock)
        self._tasks = Tasks(lambda error: site.died(self, error))
        self._assigned: list[Place] = []
        self._reconciling = False
        self._app: Any = self
        self._partitions = len(group._places)
        self._config: Any = _Config(self)
        self._forwarder = Forwarder(
            sink=site.servers.receiver,
            receiver=WEBHOOK,
            store=SimStore(site.servers, self.writer),
            outbox=SimOutbox(site.servers),
            config=lambda: self._config.current,
            clock=site.clock,
            on_time_s=60.0,
            on_death=lambda error: site.died(self, error),
            on_breaker=lambda _: self._hold_back(),
            draw=site.random.random,
            caps=HeldCaps(records=5),
        )

    async def opened(self) -> None:
        self._tasks.spawn(self._forwarder.run(), "deliveries")
