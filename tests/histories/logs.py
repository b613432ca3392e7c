"""The ingest topic of one history: what was sent to it, and what is done to its logs."""

from __future__ import annotations

from typing import Any

from tests.histories.broker import Log, Place
from tests.histories.members import Members
from tests.histories.records import HOSTS, Sent, Sort, value_of
from tests.histories.scene import PLACES, TOPIC, Scene

Name = tuple[str, int, int, int]


class Logs:
    """`sent` are all records there ever were; `removed` those that are in no log any more."""

    def __init__(self, scene: Scene, members: Members) -> None:
        self._scene, self._members = scene, members
        self.sent: dict[Name, Sent] = {}
        self.removed: set[Name] = set()
        self._cut: set[Place] = set()
        """Whose log was truncated or replaced: nothing more is taken from it, so that it can be known."""
        self._numbers = 0

    def log(self, place: Place) -> Log:
        return self._scene.broker.logs[place]

    def produce(self, *records: tuple[str, int, int | None]) -> None:
        for name, host_number, severity in records:
            sort, host = Sort(name), HOSTS[host_number]
            self._numbers += 1
            value = value_of(sort, host, severity, self._numbers)
            record = self._scene.broker.append((TOPIC, self._home(host)), host.encode(), value, ())
            self.note(Sent(TOPIC, self._home(host), record.offset, record.timestamp, sort, host, severity, value))

    def note(self, sent: Sent) -> None:
        self.sent[sent.name] = sent

    def produce_matched(self, place: Place, severity: int) -> None:
        """To this partition."""
        host = next(number for number, host in enumerate(HOSTS) if self._home(host) == place[1])
        self.produce((Sort.MATCHED.value, host, severity))

    def _home(self, host: str) -> int:
        return self._scene.broker.home(TOPIC, host.encode())

    # -- what is done to logs -----------------------------------------------------------------------------------

    def gap(self, partition: int, where: float) -> None:
        """Compaction takes one record, never the last."""
        place = PLACES[partition]
        log = self.log(place)
        there = sorted(log.records)[:-1]
        if there and place not in self._cut:
            offset = there[int(where * len(there))]
            del log.records[offset]
            self._gone(place, [offset])
            self._scene.effects["compaction"] += 1

    def retain(self, partition: int, where: float) -> None:
        """Retention takes what is oldest."""
        place = PLACES[partition]
        if place not in self._cut:
            self._gone(place, self._scene.broker.retain(place, self._within(place, where)))
            self._scene.effects["retention"] += 1

    def truncate(self, partition: int, where: float) -> None:
        """The log ends earlier, other records take the offsets, and everybody is assigned afresh."""
        place = PLACES[partition]
        if self._comparable(place):
            self._gone(place, self._scene.broker.truncate(place, self._within(place, where)))
            self._refill(place)
            self._scene.effects["truncation"] += 1

    def replace(self, partition: int) -> None:
        """The topic is deleted and made anew."""
        place = PLACES[partition]
        if self._comparable(place):
            self._gone(place, self._scene.broker.replace(place))
            self._refill(place)
            self._scene.effects["replacement"] += 1

    def _within(self, place: Place, where: float) -> int:
        log = self.log(place)
        return log.begin + int(where * (log.end - log.begin + 1))

    def _gone(self, place: Place, offsets: list[int]) -> None:
        here = {name[2]: name for name in self.sent if name[:2] == place and name not in self.removed}
        self.removed.update(here[offset] for offset in offsets)

    def _comparable(self, place: Place) -> bool:
        """A log that is cut is known by its record before `next_offset`: one must have been done, and must stay."""
        stand = self._scene.tables.stands.get(place)
        lines = self._scene.tables.ledger[place, stand.epoch] if stand is not None else []
        return bool(lines) and lines[-1].sha256 is not None

    def _refill(self, place: Place) -> None:
        """Other records, then a rebalance: only on assignment is a log looked at, so whoever sleeps does not wake."""
        match = self._scene.match
        for worker in [each for each in self._members.workers if each.process.frozen and each.group is match]:
            worker.process.kill()
        for _ in range(self._scene.random.randint(1, 6)):
            self.produce_matched(place, 3)
        self._cut.add(place)
        match.committed.pop(place, None)
        match.rebalance()

    def first_undone(self, place: Place) -> int:
        """The offset of the first record that nobody has decided over."""
        log = self.log(place)
        done = {
            (record.offset, record.timestamp)
            for commit in self._scene.tables.commits
            if commit.place == place
            for record in commit.decided.work.records
        }
        undone: list[Any] = [at for at, record in log.records.items() if (at, record.timestamp) not in done]
        return min(undone, default=log.end)
