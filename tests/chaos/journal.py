"""The producer of a run, with a journal on disk of what it was going to send and what the broker said to it.

One JSON line each: intent (fsynced before the record goes out), then ok, fail or unknown. The producer sends in bursts,
as it is allowed to, and a little all the time. Most records it sends until it knows that they are there, as devices do
that care; one of `ONCE` it sends a single time, so that some have no answer, and may be there or not.
"""

from __future__ import annotations

import base64
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaError, Message, Producer

from tests.chaos.traffic import Record

GROUP = 50
"""Records a flush to disk."""
CERTAIN = ("MSG_SIZE_TOO_LARGE", "INVALID_RECORD", "TOPIC_AUTHORIZATION_FAILED")
"""After these the broker has not taken it; after any other error nobody knows."""
ONCE = 10
FLUSH_S = 90.0
_UNTIL_KNOWN = {"enable.idempotence": True, "message.timeout.ms": 120_000}
_ONCE = {"message.send.max.retries": 0, "message.timeout.ms": 4000, "request.timeout.ms": 3000}
Place = tuple[str, int]


class Journal:
    """Appends lines; `sync` returns when they are on disk. Used from one thread."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8")

    def line(self, number: int, do: str, **more: Any) -> None:
        self._file.write(json.dumps({"n": number, "at": round(time.time(), 6), "do": do} | more) + "\n")

    def intent(self, number: int, record: Record) -> None:
        headers = [[name, _base64(value)] for name, value in record.headers]
        key, value = _base64(record.key), _base64(record.value)
        self.line(
            number, "intent", topic=record.topic, key=key, value=value, headers=headers, expect=record.expect
        )  # fmt: skip

    def sync(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self.sync()
        self._file.close()


def _base64(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()


class Sender:
    """Sends the records of `make` in a thread of its own: what it is allowed to at once, else `trickle` a second."""

    def __init__(
        self, bootstrap: str, path: Path, make: Callable[[int], Record], *, trickle: float, **options: Any
    ) -> None:
        self.sent = 0
        self.answers: Counter[str] = Counter()
        """ok, fail, unknown."""
        self.ends: dict[Place, int] = {}
        """The offset after the last that the broker confirmed, by partition."""
        self._journal = Journal(path)
        self._make, self._trickle = make, trickle
        common = {
            "bootstrap.servers": bootstrap, "linger.ms": 5, "reconnect.backoff.max.ms": 500, "log_level": 2,
        }  # fmt: skip
        self._producers = [Producer(common | how | options) for how in (_UNTIL_KNOWN, _ONCE)]
        self._allowed = 0
        self._ended = False
        self._wake = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="sender", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def allow(self, records: int) -> None:
        """So many more at once, beside the trickle."""
        with self._wake:
            self._allowed += records
            self._wake.notify()

    def finish(self) -> None:
        """Ends the trickle and waits until the broker has answered to everything, or never will."""
        with self._wake:
            self._ended = True
            self._wake.notify()
        self._thread.join()

    def more(self, records: int) -> None:
        """The same, unless some that were allowed are not sent or not answered yet."""
        if not self._allowed and self.answers.total() >= self.sent:
            self.allow(records)

    @property
    def taken(self) -> Mapping[Place, int]:
        return dict(self.ends)

    def _run(self) -> None:
        while group := self._next_group():
            numbers = range(self.sent, self.sent + group)
            records = [(number, self._make(number)) for number in numbers]
            for number, record in records:
                self._journal.intent(number, record)
            self._journal.sync()
            for number, record in records:
                self._send(number, record)
            self.sent += group
        for producer in self._producers:
            if producer.flush(FLUSH_S):
                producer.purge()
                producer.flush(5)
        self._journal.close()

    def _next_group(self) -> int:
        """How many to send now; 0 at the end."""
        with self._wake:
            if not self._allowed and not self._ended:
                self._wake.wait(1 / self._trickle)
                self._allowed += not self._allowed and not self._ended
            group = min(self._allowed, GROUP)
            self._allowed -= group
        for producer in self._producers:
            producer.poll(0)
        return group

    def _send(self, number: int, record: Record) -> None:
        producer = self._producers[number % ONCE == 0]
        while True:
            try:
                producer.produce(
                    record.topic, record.value, record.key, headers=list(record.headers),
                    on_delivery=lambda error, message: self._answered(number, error, message),
                )  # fmt: skip
                return
            except BufferError:
                producer.poll(0.1)

    def _answered(self, number: int, error: KafkaError | None, message: Message) -> None:
        if error is None:
            place, offset = (message.topic(), message.partition()), message.offset()
            self.ends[place] = max(self.ends.get(place, 0), offset + 1)
            self._journal.line(number, "ok", partition=place[1], offset=offset)
        else:
            self._journal.line(number, "fail" if error.name() in CERTAIN else "unknown", why=str(error))
        self.answers["ok" if error is None else "fail" if error.name() in CERTAIN else "unknown"] += 1
