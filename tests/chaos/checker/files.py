"""Files the checker reads: the producer's journal, the receiver's log, samples of memory."""

from __future__ import annotations

import base64
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.checker.evidence import Place, Post, Sent, digest

Intent = tuple[str, bytes, str | None]
"""Topic, digest of the record, and what is expected of it."""


@dataclass(slots=True)
class Journal:
    """What producers say they sent: what is there, what must not be there, what may."""

    ok: dict[Place, list[Sent]] = field(default_factory=lambda: defaultdict(list))
    failed: Counter[bytes] = field(default_factory=Counter)
    unknown: Counter[bytes] = field(default_factory=Counter)
    expected: dict[bytes, str | None] = field(default_factory=dict)
    """What is expected of records without an answer."""
    records: int = 0


def read_journals(paths: Iterable[Path]) -> Journal:
    """All journals together. An intent without an answer is unknown; so is one whose line was cut short."""
    journal = Journal()
    for path in paths:
        open_intents: dict[int, Intent] = {}
        for line in lines(path):
            _note(journal, open_intents, line)
        for _, record, expect in open_intents.values():
            journal.unknown[record] += 1
            journal.expected[record] = expect
    for sent in journal.ok.values():
        sent.sort()
    return journal


def _note(journal: Journal, intents: dict[int, Intent], line: dict[str, Any]) -> None:
    number, what = line["n"], line["do"]
    if what == "intent":
        journal.records += 1
        headers = [(name.encode("utf-8", "surrogateescape"), _bytes(value)) for name, value in line.get("headers", ())]
        record = digest(_bytes(line.get("key")), _bytes(line.get("value")), headers)
        intents[number] = (line["topic"], record, line.get("expect"))
        return
    if number not in intents:
        raise ValueError(f"journal: answer {what!r} to {number}, which was never meant or was answered before")
    topic, record, expect = intents.pop(number)
    if what == "ok":
        journal.ok[topic, line["partition"]].append(Sent(line["offset"], number, record, expect))
    elif what == "fail":
        journal.failed[record] += 1
    else:
        journal.unknown[record] += 1
        journal.expected[record] = expect


def read_posts(paths: Iterable[Path]) -> list[Post]:
    """Every request the receiver answered, in the order of the answers; probes are left out."""
    posts = [
        Post(_micros(line["came"]), _micros(line["at"]), line["id"], line["status"], line["sha256"])
        for path in paths
        for line in lines(path)
        if not line["id"].startswith("probe-")
    ]
    return sorted(posts, key=lambda post: post.at)


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """The JSON objects of a file, one a line; a last line that was cut short (its writer was killed) is left out."""
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                return
            yield json.loads(line)


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)


def _micros(seconds: float) -> int:
    return round(seconds * 1_000_000)
