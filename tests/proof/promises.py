"""What is promised, and which detectors of the checker look for the promise broken."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tests.proof.marked import ROOT

DETECTORS: Mapping[str, tuple[str, str]] = {
    "lost": ("I1", "a record that the broker acknowledged lies beyond its partition's place, or has no disposition"),
    "ledger": ("I1", "ranges of a partition leave a hole or overlap, or counts do not add up to rows"),
    "stuck": ("I1", "records wait, nothing is paused, and nothing moves"),
    "twice": ("I2", "one record has two audit rows, alerts or letters"),
    "counters": ("I2", "service level counters differ from the ledger"),
    "progress": ("I2", "a place falls or jumps, or Kafka's committed offset is beyond it"),
    "zombie": ("I2", "a worker wrote after its partition was another's"),
    "ghost": ("I3", "a post or record that no row explains, or one that left before its row was committed"),
    "alert_lost": ("I3", "a committed alert is neither delivered nor dead once all is quiet"),
    "two_ids": ("I3", "one decision under two ids, or one id with two bodies"),
    "order": ("I4", "rows or first deliveries of a host do not follow the offsets"),
    "decision": ("I5", "a plain linear matcher decides otherwise"),
    "cap": ("I6", "memory, records held or sockets over their caps"),
    "shed": ("I6", "an event shed at the floor, below the threshold or without its row"),
    "blame": ("I7", "a dead letter that no poison, shedding or refusal explains"),
    "config": ("I8", "a change without its audit row in the same transaction"),
    "secret": ("I9", "a canary in a log, topic, table, metric or error, in any usual encoding"),
    "bytes": ("dead letters", "key, value or headers differ from what was sent"),
    "replay": ("dead letters", "replayed twice under one id, or judged without naming its letter"),
}


@dataclass(frozen=True, slots=True)
class Promise:
    """One invariant as docs/ARCHITECTURE.md states it, with the tests that it names."""

    number: str
    words: str
    tests: tuple[str, ...]

    @property
    def detectors(self) -> list[str]:
        return [name for name, (number, _) in DETECTORS.items() if number == self.number]


def promises() -> list[Promise]:
    text = (ROOT / "docs" / "ARCHITECTURE.md").read_text()
    rows = re.findall(r"^\| (I\d) \| (.*?) \| (.*?) \|$", text, re.MULTILINE)
    return [Promise(number, words, tuple(re.findall(r"`(tests/[^`]+)`", tests))) for number, words, tests in rows]
