"""Runs one history: its steps against workers and servers, then whatever it takes to become quiet."""

from __future__ import annotations

import asyncio
import contextlib
import random
import uuid
from collections import Counter
from random import Random
from typing import Any

from schemas.alerts import AlertState
from schemas.config import DynamicConfig
from schemas.dead_letters import LetterState, Reason, Stage
from schemas.topics import ALERTS, DLQ, SYSLOG
from streams.core.matching import Knowledge
from streams.core.replay import LetterFilter, ReplayPolicy, StoredLetter, destination, refusal, replay_record
from tests.histories.broker import Broker, Group, Place
from tests.histories.loop import Process, StandstillError, VirtualLoop
from tests.histories.records import HOSTS, Sent, Sort, knowledge, value_of
from tests.histories.servers import Servers
from tests.histories.steps import Plan
from tests.histories.tables import Tables
from tests.histories.workers import SimClock, SimForward, SimMatch, SimWorker, Site

TOPIC, PARTITIONS, ALERT_PARTITIONS = SYSLOG.name, 2, 2
QUIET_WITHIN_S = 60.0
RESTART_S, EXPELLED_S = 0.2, 0.25

_CALM: dict[str, Any] = {
    "moog_rate_limit": 1000, "moog_retry_base_delay": 0.05, "moog_retry_max_delay": 1, "circuit_breaker_threshold": 3,
    "circuit_breaker_timeout": 1, "unhandled_threshold": 3, "alerter_defer_sleep_ms": 200,
}  # fmt: skip
CONFIGS: tuple[dict[str, Any], ...] = (
    {},
    {"audit_unhandled_events": True, "moog_rate_limit": 20},
    {"alerter_queue_warn_threshold": 2, "alerter_queue_shed_threshold": 3, "alerter_queue_hard_limit": 50},
    {"alerter_queue_warn_threshold": 2, "alerter_queue_shed_threshold": 4, "alerter_queue_hard_limit": 60,
     "alerter_shed_mode": "defer", "moog_max_in_flight": 2},
    {"alerter_queue_warn_threshold": 2, "alerter_queue_shed_threshold": 3, "alerter_queue_hard_limit": 6,
     "alerter_shed_severity_floor": 4},
)  # fmt: skip


class World:
    """The state of one history, and what it has seen go wrong on the way (`seen`)."""

    def __init__(self, plan: Plan, loop: VirtualLoop) -> None:
        self.plan, self.loop = plan, loop
        self.random = Random(plan.seed ^ 0x5EED)
        self.broker = Broker(loop, {TOPIC: PARTITIONS, ALERTS.name: ALERT_PARTITIONS, DLQ.name: 1})
        self.tables = Tables()
        self.servers = Servers(loop, self.tables, self.broker, self.random)
        self.effects = self.servers.effects
        self.clock = SimClock(loop)
        self.sent: dict[tuple[str, int, int, int], Sent] = {}
        self.removed: set[tuple[str, int, int, int]] = set()
        self._cut: set[Place] = set()
        """Whose log was truncated or replaced: nothing more is taken from it, so that it can be known."""
        """Records that are in no log any more."""
        self.seen: list[tuple[str, str, str]] = []
        self.replays: Counter[tuple[uuid.UUID, uuid.UUID]] = Counter()
        self.versions: dict[int, Knowledge] = {}
        self._variant, self._rules, self._paused = plan.variant, 0, False
        self._new_version()
        self._numbers = 0
        self._names = 0
        site = Site(
            loop, self.servers, self.random, self.clock, lambda: self.newest, self._died, self._killed, self._polled,
            self._committed,
        )  # fmt: skip
        self._site = site
        self.match = Group(loop, [(TOPIC, number) for number in range(PARTITIONS)], self.servers.delay)
        self.forward = Group(loop, [(ALERTS.name, number) for number in range(ALERT_PARTITIONS)], self.servers.delay)
        self.workers: list[Any] = []
        self.processes: list[Process] = []
        """All there ever were."""
        self._ending = False

    @property
    def newest(self) -> Knowledge:
        return self.versions[max(self.versions)]

    async def run(self) -> None:
        for _ in range(self.plan.matchers):
            self._start("match")
        for _ in range(self.plan.forwarders):
            self._start("forward")
        for step in self.plan.steps:
            getattr(self, f"_do_{step.do}")(*step.give)
            await asyncio.sleep(step.wait)
        await self._become_quiet()

    # -- workers ------------------------------------------------------------------------------------------------

    def _start(self, role: str) -> None:
        self._names += 1
        name = f"{role}-{self._names}"
        worker: Any
        if role == "match":
            worker = SimMatch(name, self._site, self.match, presses=self.plan.presses)
        else:
            worker = SimForward(name, self._site, self.forward)
        self.workers.append(worker)
        self.processes.append(worker.process)
        worker.start()

    def _of(self, role: str, number: int) -> Any:
        group = self.match if role == "match" else self.forward
        alive = [worker for worker in self.workers if worker.group is group and not worker.process.dead]
        return alive[number % len(alive)] if alive else None

    def _killed(self, worker: SimWorker) -> None:
        """The broker notices after a while; a supervisor starts another."""
        if self._ending:
            return
        if not worker.stopping:
            self.effects["crash with work in hand" if _in_hand(worker) else "crash"] += 1
        worker.end()
        self.workers.remove(worker)
        self.loop.outside(EXPELLED_S, worker.group.leave, worker)
        self.loop.outside(RESTART_S * 2 * self.random.random(), self._start, _role(worker))

    def _died(self, worker: SimWorker, error: BaseException) -> None:
        self.seen.append(("died", worker.name_of_worker, repr(error)))
        worker.process.kill()

    def _polled(self, worker: SimWorker, place: Place, records: int) -> None:
        if not isinstance(worker, SimMatch):
            return
        held = worker._lanes.held_records
        if held > 8 + 3 * 4:
            self.seen.append(("cap", str(place), f"{held} records held"))
        if worker._intake._held and place not in worker._pauses.wanted:
            self.seen.append(("cap", str(place), f"read on, though {sorted(worker._intake._held)} holds intake"))

    def _committed(self, worker: SimWorker, place: Place, offset: int) -> None:
        if isinstance(worker, SimMatch):
            stand = self.tables.stands.get(place)
            stands = self.broker.logs[place].begin if stand is None else stand.next_offset
            if offset > stands and not (stand and stand.epoch):
                self.seen.append(("progress", str(place), f"Kafka has {offset}, beyond {stand}"))

    # -- steps --------------------------------------------------------------------------------------------------

    def _do_produce(self, *records: tuple[str, int, int | None]) -> None:
        for name, host_number, severity in records:
            sort, host = Sort(name), HOSTS[host_number]
            self._numbers += 1
            value = value_of(sort, host, severity, self._numbers)
            place = (TOPIC, self.broker.home(TOPIC, host.encode()))
            self._append(place, sort, host, severity, value)

    def _append(
        self, place: Place, sort: Sort, host: str, severity: int | None, value: bytes | None, headers: Any = ()
    ) -> None:
        record = self.broker.append(place, host.encode(), value, headers)
        sent = Sent(*place, record.offset, record.timestamp, sort, host, severity, value, replay=bool(headers))
        self.sent[sent.name] = sent

    def _do_fault(self, name: str, kind: str, times: int) -> None:
        self.servers.armed[name].extend([kind] * times)

    def _do_answers(self, *answers: str) -> None:
        self.servers.receiver.answers.extend(answers)

    def _do_rebalance(self, role: str) -> None:
        self.effects["rebalance"] += 1
        (self.match if role == "match" else self.forward).rebalance()

    def _do_crash(self, role: str, number: int, turns: int) -> None:
        if worker := self._of(role, number):
            worker.process.fuse = turns

    def _do_freeze(self, role: str, number: int, seconds: float) -> None:
        """Beyond the session's timeout the group goes on without it; it learns of that a moment after it wakes up."""
        worker = self._of(role, number)
        if worker is None or worker.process.frozen:
            return
        worker.process.frozen = True
        if seconds > EXPELLED_S:
            self.loop.outside(EXPELLED_S, self._expel, worker)
        self.loop.outside(seconds, self._thaw, worker)

    def _expel(self, worker: Any) -> None:
        if worker.process.frozen:
            worker.group.leave(worker)

    def _thaw(self, worker: Any) -> None:
        if worker.process.dead or not worker.process.frozen:
            return
        zombie = worker not in worker.group.members
        self.effects["zombie" if zombie else "freeze"] += 1
        worker.process.thaw(self.loop)
        if zombie:
            self.loop.outside(self.random.choice((0.0, 0.1, 0.3)), self._rejoin, worker)

    def _rejoin(self, worker: Any) -> None:
        if not worker.process.dead and worker not in worker.group.members:
            worker.group.join(worker)

    def _gone(self, place: Place, offsets: list[int]) -> None:
        here = {name[2]: name for name in self.sent if name[:2] == place and name not in self.removed}
        self.removed.update(here[offset] for offset in offsets)

    def _do_gap(self, partition: int, where: float) -> None:
        """Compaction takes one record, never the last."""
        place = (TOPIC, partition)
        log = self.broker.logs[place]
        there = sorted(log.records)[:-1]
        if there and place not in self._cut:
            offset = there[int(where * len(there))]
            del log.records[offset]
            self._gone(place, [offset])
            self.effects["compaction"] += 1

    def _do_retain(self, partition: int, where: float) -> None:
        place = (TOPIC, partition)
        log = self.broker.logs[place]
        if place in self._cut:
            return
        self._gone(place, self.broker.retain(place, log.begin + int(where * (log.end - log.begin + 1))))
        self.effects["retention"] += 1

    def _do_truncate(self, partition: int, where: float) -> None:
        """The log ends earlier, other records take the offsets, and everybody is assigned afresh."""
        place = (TOPIC, partition)
        log = self.broker.logs[place]
        if not self._comparable(place):
            return
        self._gone(place, self.broker.truncate(place, log.begin + int(where * (log.end - log.begin + 1))))
        self._refill(place)
        self.effects["truncation"] += 1

    def _do_replace(self, partition: int) -> None:
        place = (TOPIC, partition)
        if not self._comparable(place):
            return
        self._gone(place, self.broker.replace(place))
        self._refill(place)
        self.effects["replacement"] += 1

    def _comparable(self, place: Place) -> bool:
        """A log that is cut is known by its record before `next_offset`: one must have been done, and must stay."""
        stand = self.tables.stands.get(place)
        lines = self.tables.ledger[place, stand.epoch] if stand is not None else []
        return bool(lines) and lines[-1].sha256 is not None

    def _refill(self, place: Place) -> None:
        """Other records, then a rebalance: only on assignment is a log looked at, so whoever sleeps does not wake."""
        for worker in [worker for worker in self.workers if worker.process.frozen and worker.group is self.match]:
            worker.process.kill()
        host = next(host for host in HOSTS if self.broker.home(TOPIC, host.encode()) == place[1])
        for _ in range(self.random.randint(1, 6)):
            self._do_produce((Sort.MATCHED.value, HOSTS.index(host), 3))
        self._cut.add(place)
        self.match.committed.pop(place, None)
        self.match.rebalance()

    def _do_config(self, variant: int, rules: int) -> None:
        self._variant, self._rules = variant, rules
        self._change()
        self.effects["configuration"] += 1

    def _do_pause(self, seconds: float) -> None:
        """The operator's stop."""
        self._paused = True
        self._change()
        self.loop.outside(seconds, self._go_on)
        self.effects["operator's pause"] += 1

    def _go_on(self) -> None:
        self._paused = False
        self._change()

    def _new_version(self) -> None:
        config = DynamicConfig(**_CALM | CONFIGS[self._variant] | {"ingest_paused": self._paused})
        version = len(self.versions) + 1
        self.versions[version] = knowledge(version, self._rules, config)

    def _change(self) -> None:
        """It reaches each worker at a time of its own."""
        self._new_version()
        for worker in self.workers:
            self.loop.call_later(0.3 * self.random.random(), worker.knows, self.newest, context=worker.process.context)

    def _do_clock(self, skew_s: float) -> None:
        self.clock.skew_s = skew_s
        self.effects["clock step"] += 1

    def _do_stop(self, role: str, number: int) -> None:
        """SIGTERM: drained, gone, started again."""
        worker = self._of(role, number)
        if worker is None or worker.process.frozen or worker not in worker.group.members:
            return
        self.effects["stop"] += 1
        self.loop.create_task(self._stop(worker), context=worker.process.context)

    async def _stop(self, worker: Any) -> None:
        await worker.drain(0.5)
        self.loop.outside(0.0, self._stopped, worker)

    def _stopped(self, worker: Any) -> None:
        if not worker.process.dead:
            worker.stopping = True
            worker.group.leave(worker)
            worker.process.kill()

    def _do_replay(self, reason: str) -> None:
        """`mutt dlq replay --reason`: the letters are claimed, sent, marked."""
        replay_id = uuid.UUID(int=self.random.getrandbits(128))
        chosen = LetterFilter(reasons=(Reason(reason),))
        for name, line in list(self.tables.letters.items()):
            alert = self.tables.alerts.get(line.letter.alert_id) if line.letter.alert_id else None
            stored = StoredLetter(letter=line.letter, state=line.state, has_alert=alert is not None)
            if line.letter.reason is not Reason(reason) or refusal(stored, chosen, ReplayPolicy(3)):
                continue
            if self._in_doubt(line.letter.alert_id):
                continue
            line.state, line.replay_id = LetterState.REPLAYING, replay_id
            line.replays += 1
            if alert is not None and alert.state is AlertState.DEAD:
                alert.state = AlertState.PENDING
            self.replays[name, replay_id] += 1
            self.effects[f"replay of {reason}"] += 1
            copies = self.random.choice((1, 1, 2))  # a resumed replay sends what nobody has judged once more
            for copy in range(copies):
                self.loop.outside(self.servers.delay() + copy * 0.3, self._send_again, stored)

    def _in_doubt(self, alert: uuid.UUID | None) -> bool:
        """Whether a forwarder waits to know that this death was committed. docs/PROOF.md says what a replay then is."""
        forwarders = [worker for worker in self.workers if isinstance(worker, SimForward)]
        return alert is not None and any(worker._forwarder.hold.get(alert) for worker in forwarders)

    def _send_again(self, stored: StoredLetter) -> None:
        letter = stored.letter
        topic, partition = destination(letter)
        key, value, headers = replay_record(stored)
        shown = [(name.decode("utf-8", "surrogateescape"), data) for name, data in headers]
        if partition is None:
            partition = self.broker.home(topic, key)
        if letter.stage is Stage.DELIVER:
            self.broker.append((topic, partition), key, value, shown)
            return
        origin = self.sent[letter.topic, letter.partition, letter.offset, letter.timestamp]
        record = self.broker.append((topic, partition), key, value, shown)
        again = Sent(
            topic, partition, record.offset, record.timestamp, origin.sort, origin.host, origin.severity, value, True
        )
        self.sent[again.name] = again

    # -- the end ------------------------------------------------------------------------------------------------

    async def _become_quiet(self) -> None:
        """No more faults; then everything must come to its end by itself, but for halted partitions."""
        self.servers.calm()
        self.servers.receiver.answers.clear()
        self._variant, self._paused = 0, False
        self._change()
        for worker in list(self.workers):
            worker.process.fuse = None
            if worker.process.frozen:
                self._thaw(worker)
        for partition in range(PARTITIONS):
            host = next(host for host in HOSTS if self.broker.home(TOPIC, host.encode()) == partition)
            self._do_produce((Sort.MATCHED.value, HOSTS.index(host), 1))
        until = self.loop.time() + QUIET_WITHIN_S
        while (why := self._unquiet()) and self.loop.time() < until:
            await asyncio.sleep(0.1)
            self._reset_halted()
        if why:
            self.seen.append(("stuck", why[0], why[1]))

    def _reset_halted(self) -> None:
        """What an operator does where a log was cut or replaced: `mutt ledger reset`, to the first record not done."""
        for place, stand in self.tables.stands.items():
            if stand.halted is not None:
                self.effects["halt"] += 1
                if "truncat" not in stand.halted and "replaced" not in stand.halted and "went back" not in stand.halted:
                    self.seen.append(("stuck", str(place), stand.halted))
                self.tables.reset(place, self._first_undone(place))

    def _first_undone(self, place: Place) -> int:
        log = self.broker.logs[place]
        done = {
            (record.offset, record.timestamp)
            for commit in self.tables.commits
            if commit.place == place
            for record in commit.decided.work.records
        }
        undone = [offset for offset, record in log.records.items() if (offset, record.timestamp) not in done]
        return min(undone, default=log.end)

    def _unquiet(self) -> tuple[str, str] | None:
        """What is not at its end yet."""
        for partition in range(PARTITIONS):
            place = (TOPIC, partition)
            stand, end = self.tables.stands.get(place), self.broker.logs[place].end
            if stand is None or stand.halted is not None or stand.next_offset != end:
                return str(place), f"stands at {stand}, the log ends at {end}"
            if self.match.committed.get(place) != end:
                return str(place), f"acknowledged to {self.match.committed.get(place)} of {end}"
        if self.servers.in_flight:
            return "servers", f"{self.servers.in_flight} requests in flight"
        for name, line in self.tables.alerts.items():
            if not line.published or (self.plan.forwarders and line.state is AlertState.PENDING):
                return str(name), f"published {line.published}, {line.state}"
        for letter, row in self.tables.letters.items():
            if not row.published:
                return str(letter), f"not on mutt.dlq: {row.letter}"
        for partition in range(ALERT_PARTITIONS if self.plan.forwarders else 0):
            place = (ALERTS.name, partition)
            end = self.broker.logs[place].end
            if self.forward.committed.get(place, 0) != end:
                return str(place), f"acknowledged to {self.forward.committed.get(place)} of {end}"
        return None


def _role(worker: SimWorker) -> str:
    return "match" if isinstance(worker, SimMatch) else "forward"


def _in_hand(worker: Any) -> bool:
    if isinstance(worker, SimMatch):
        return worker._lanes.held_records > 0
    return worker._forwarder.hold.records > 0 if isinstance(worker, SimForward) else False


def play(plan: Plan) -> World:
    """Runs the history of a plan to its end; nothing of it is left running."""
    loop = VirtualLoop()
    before = random.getstate()
    random.seed(plan.seed)
    world = World(plan, loop)
    main = loop.create_task(world.run())
    try:
        loop.run_until_complete(main)
    except StandstillError as still:
        world.seen.append(("stuck", "loop", str(still)))
    finally:
        _end(world, loop)
        random.setstate(before)
    return world


def _end(world: World, loop: VirtualLoop) -> None:
    """Cancels whatever there still is."""
    world._ending = True
    loop.turns = -1_000_000
    loop.over = True
    for round_ in range(4):
        tasks = asyncio.all_tasks(loop)
        if not tasks:
            break
        for task in tasks:
            task.cancel()
        if round_ == 0:
            for process in world.processes:
                process.thaw(loop)
        with contextlib.suppress(StandstillError):
            loop.run_until_complete(_gone(tasks))
    loop.close()


async def _gone(tasks: set[asyncio.Task[Any]]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)
