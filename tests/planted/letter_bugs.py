"""Bugs in what is published and replayed: ids, bytes, headers, copies."""

from __future__ import annotations

import uuid
from typing import Any

from schemas.dead_letters import Headers, LetterState, Reason
from schemas.rules import Rule
from streams.adapters.publisher import AlertRecord, KafkaOutbox
from streams.core import disposition
from streams.core.batches import Record
from streams.core.disposition import _Decision
from tests.planted.patches import Collection, Patches

BUGS = Collection()


@BUGS.bug(8, "what was left unpublished is sent under new ids", "two_ids", "ghost", "alert_lost",
          scenario="cut_after_commit")  # fmt: skip
def left_over_under_new_ids(patches: Patches) -> None:
    pending = KafkaOutbox._pending_alerts

    async def _pending_alerts(self: KafkaOutbox, topic: str, partition: int) -> list[AlertRecord]:
        found = await pending(self, topic, partition)
        return [
            (name, key, value.replace(str(name).encode(), str(uuid.uuid4()).encode())) for name, key, value in found
        ]

    patches.replace(KafkaOutbox, "_pending_alerts", _pending_alerts)


@BUGS.bug(14, "a letter's headers are kept as a mapping: of a name that repeats one is left", "bytes",
          scenario="bumpy")  # fmt: skip
def repeated_header_dropped(patches: Patches) -> None:
    names = disposition.header_names

    def header_names(headers: Any) -> Headers:
        return tuple(dict(names(headers)).items())

    patches.replace(disposition, "header_names", header_names)


@BUGS.bug(23, "the copy that a resumed replay sends again is judged again", "replay", "twice",
          scenario="replayed_twice")  # fmt: skip
def replay_judged_again(patches: Patches) -> None:
    def _judged_before(self: _Decision, letter: uuid.UUID) -> bool:
        return self.work.replays[letter] is LetterState.REPLAYED

    patches.replace(_Decision, "_judged_before", _judged_before)


@BUGS.bug(28, "the audit row of a replayed record does not name its letter", "replay", scenario="replayed_twice")
def replay_not_named(patches: Patches) -> None:
    audit = _Decision._audit

    def _audit(self: _Decision, *arguments: Any) -> None:
        audit(self, *arguments[:-1], None)

    patches.replace(_Decision, "_audit", _audit)


@BUGS.bug(29, "the meta-alert of a storm is raised without an audit row", "ghost", scenario="bumpy", histories=True)
def storm_without_audit_row(patches: Patches) -> None:
    audit = _Decision._audit

    def _audit(self: _Decision, *arguments: Any) -> None:
        if arguments[3] is not disposition._UNHANDLED:
            audit(self, *arguments)

    patches.replace(_Decision, "_audit", _audit)


@BUGS.bug(30, "what is shed gets no letter", "shed", "ledger", scenario="shed", histories=True)
def shed_without_letter(patches: Patches) -> None:
    letter = _Decision._letter

    def _letter(self: _Decision, record: Record, reason: Reason, detail: str, host: str | None,
                rule: Rule | None = None) -> None:  # fmt: skip
        if reason is not Reason.SHED:
            letter(self, record, reason, detail, host, rule)

    patches.replace(_Decision, "_letter", _letter)
