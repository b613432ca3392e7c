"""The operator of one history: `mutt dlq replay --reason`, now and then resumed."""

from __future__ import annotations

import uuid
from collections import Counter

from schemas.alerts import AlertState
from schemas.dead_letters import LetterState, Reason, Stage
from streams.core.replay import LetterFilter, ReplayPolicy, StoredLetter, destination, refusal, replay_record
from tests.histories.logs import Logs
from tests.histories.members import Members
from tests.histories.records import Sent
from tests.histories.scene import Scene
from tests.histories.workers import SimForward


class Desk:
    """`replays` counts how often a letter went into a replay."""

    def __init__(self, scene: Scene, members: Members, logs: Logs) -> None:
        self._scene, self._members, self._logs = scene, members, logs
        self.replays: Counter[tuple[uuid.UUID, uuid.UUID]] = Counter()

    def replay(self, reason: str) -> None:
        """The letters are claimed, sent, marked."""
        scene, tables = self._scene, self._scene.tables
        replay_id = uuid.UUID(int=scene.random.getrandbits(128))
        chosen = LetterFilter(reasons=(Reason(reason),))
        for name, line in list(tables.letters.items()):
            alert = tables.alerts.get(line.letter.alert_id) if line.letter.alert_id else None
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
            scene.effects[f"replay of {reason}"] += 1
            copies = scene.random.choice((1, 1, 2))  # a resumed replay sends what nobody has judged once more
            for copy in range(copies):
                scene.loop.outside(scene.servers.delay() + copy * 0.3, self._send_again, stored)

    def _in_doubt(self, alert: uuid.UUID | None) -> bool:
        """Whether a forwarder waits to know that this death was committed. docs/PROOF.md says what a replay then is."""
        forwarders = [worker for worker in self._members.workers if isinstance(worker, SimForward)]
        return alert is not None and any(worker._forwarder.hold.get(alert) for worker in forwarders)

    def _send_again(self, stored: StoredLetter) -> None:
        letter, broker = stored.letter, self._scene.broker
        topic, partition = destination(letter)
        key, value, headers = replay_record(stored)
        shown = [(name.decode("utf-8", "surrogateescape"), data) for name, data in headers]
        if partition is None:
            partition = broker.home(topic, key)
        record = broker.append((topic, partition), key, value, shown)
        if letter.stage is not Stage.DELIVER:
            was = self._logs.sent[letter.topic, letter.partition, letter.offset, letter.timestamp]
            self._logs.note(
                Sent(
                    topic, partition, record.offset, record.timestamp, was.sort, was.host, was.severity, value, True
                )
            )  # fmt: skip
