"""Dead letters: detectors bytes, replay and blame."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from uuid import UUID

from tests.chaos.checker.books import BATCH, offsets_of
from tests.chaos.checker.evidence import (
    INGEST,
    Findings,
    Headers,
    Partition,
    Place,
    Record,
    World,
    digest,
)

DLQ = "mutt.dlq"
PREFIX = b"mutt.dlq."
NAMES_LETTER = b"mutt.dlq.id"
CUT = b"cut on the topic:"
RETRIED = frozenset({401, 403, 408, 425, 429})
"""Beside 5xx: what a receiver may answer without refusing the alert."""
LATE_MS = 2000
"""A replay that reads what is not judged yet and sends it needs a moment."""


# -- one partition ----------------------------------------------------------------------------------------------


def check_letters(part: Partition, world: World, out: Findings) -> None:
    kept_bytes(part, world, out)
    note_replays(part, world)
    blame(part, world, out)


def kept_bytes(part: Partition, world: World, out: Findings) -> None:
    """Letters and audit rows hold the bytes of the record they stand for."""
    records = {record.offset: record for record in part.log.records} if part.log else {}
    newest = max(epoch.number for epoch in part.epochs)
    since = next(epoch.since for epoch in part.epochs if epoch.number == newest)
    for letter in part.letters:
        if letter.state == "purged":
            continue
        world.bodies[letter.id] = digest(letter.key, letter.value, letter.headers)
        record = records.get(letter.offset)
        if record is None or BATCH.match(letter.detail) or (since is not None and letter.at < since):
            continue
        out.saw("bytes")
        if record[2:] != (letter.key, letter.value, letter.headers):
            where = f"letter {letter.id} of {part.at(letter.offset)}"
            query = f"SELECT * FROM dead_letters WHERE id = '{letter.id}'"
            out.wrong("bytes", where, "differs from the record it stands for", query)
    for row in part.audit:
        record = records.get(row.offset)
        if record is not None and (since is None or row.at >= since):
            out.saw("bytes")
            if record.value != row.raw:
                detail = "the audit row's bytes are not the record's"
                out.wrong("bytes", part.at(row.offset), detail, part.query("audit", row.offset))


def note_replays(part: Partition, world: World) -> None:
    """What replays left: the copies on the topic, and the rows that name the letter they came from."""
    for record in part.log.records if part.log else ():
        letter = named_letter(record.headers)
        if letter is not None:
            world.copies[letter].append((part.at(record.offset), record.at))
    for row in part.audit:
        if row.replay_of is not None:
            world.effects[row.replay_of] += 1
    for letter_row in part.letters:
        if letter_row.replay_of is not None:
            world.effects[letter_row.replay_of] += 1


def named_letter(headers: Headers) -> UUID | None:
    """The letter a record says it replays."""
    for name, value in reversed(headers):
        if name == NAMES_LETTER:
            try:
                return UUID((value or b"").decode("ascii"))
            except ValueError:
                return None
    return None


def blame(part: Partition, world: World, out: Findings) -> None:
    """Letters are what the producer poisoned (the journal says so), for the reason it was poisoned with."""
    if not part.journaled:
        return
    expected = _expected(part, world)
    reasons = {o: letter.reason for letter in part.letters if letter.reason != "shed" for o in offsets_of(letter)}
    stand = part.standing.next_offset if part.standing else 0
    out.saw("blame", len(expected))
    for offset, expect in expected.items():
        wanted = expect.partition(":")[2] if expect and expect.startswith("rejected:") else None
        got = reasons.get(offset)
        if offset < stand and wanted != got and not (wanted is None and got is None):
            detail = f"expected {wanted or 'no letter'}, got {got or 'no letter'}"
            out.wrong("blame", part.at(offset), detail, part.query("dead_letters", offset))
    for letter in part.letters:
        if letter.offset not in expected and letter.reason in ("internal_error", "database_value"):
            detail = f"{letter.reason}: {letter.detail[:200]}"
            out.wrong("blame", part.at(letter.offset), detail, part.query("dead_letters", letter.offset))


def _expected(part: Partition, world: World) -> dict[int, str | None]:
    """What the journal expects of each offset: of those acknowledged, and of those without an answer that are there."""
    expected = {sent.offset: sent.expect for sent in part.sent}
    for record in part.log.records if part.log and world.unknown else ():
        if record.offset not in expected:
            unknown = world.unknown.get(digest(record.key, record.value, record.headers))
            if unknown is not None:
                expected[record.offset] = unknown[1]
    return expected


# -- mutt.dlq ---------------------------------------------------------------------------------------------------


class LettersTopic:
    """Reads mutt.dlq: each letter is there with the bytes of its record; nothing is that no row explains."""

    topic = DLQ

    def __init__(self, world: World, out: Findings) -> None:
        self._world, self._out = world, out
        self._published: dict[UUID, bytes] = {}
        self._foreign = {(letter.topic, letter.partition, letter.offset) for letter in world.others}
        self._places = {fact.place: letter for letter, fact in world.letters.items()}

    def take(self, place: Place, records: tuple[Record, ...]) -> None:
        self._out.saw("records on mutt.dlq", len(records))
        for record in records:
            where = f"{place[0]}:{place[1]}:{record.offset}"
            ours = {name: value for name, value in record.headers if name.startswith(PREFIX)}
            letter = named_letter(tuple(pair for pair in record.headers if pair[0] == NAMES_LETTER))
            known = letter is not None and letter in self._world.letters
            if not known or letter is None:
                self._unexplained(where, (*place, record.offset), ours, letter)
                continue
            rest = _without(record.headers, len(ours))
            body = digest(record.key, record.value, rest)
            if self._published.setdefault(letter, body) != body:
                self._out.wrong("two_ids", where, f"letter {letter} lies on {DLQ} twice with different bytes")
            wanted = self._world.bodies.get(letter)
            if wanted not in (None, body) and not (ours.get(b"mutt.dlq.detail") or b"").startswith(CUT):
                self._out.wrong("bytes", where, f"letter {letter} differs from its row")

    def _unexplained(
        self, where: str, at: tuple[str, int, int], ours: Mapping[bytes, bytes | None], letter: UUID | None
    ) -> None:
        origin = _origin(ours)
        if letter is not None and origin in self._places:
            detail = f"the letter of {origin} is {self._places[origin]}; here it is {letter}"
            self._out.wrong("two_ids", where, detail)
        elif at not in self._foreign:
            self._out.wrong("ghost", where, f"no letter {letter} in the table")

    def finish(self) -> None:
        for letter in self._world.bodies.keys() - self._published.keys():
            place = ":".join(map(str, self._world.letters[letter].place))
            query = f"SELECT * FROM dead_letters WHERE id = '{letter}'"
            self._out.wrong("bytes", place, f"letter {letter} never reached {DLQ}", query)


def _without(headers: Headers, ours: int) -> Headers:
    """The headers of the original: ours were put behind them. An original may itself carry names like ours."""
    return headers[:-12] if ours >= 12 and len(headers) >= 12 else headers


def _origin(ours: Mapping[bytes, bytes | None]) -> tuple[str, int, int] | None:
    try:
        texts = [(ours[PREFIX + name] or b"").decode() for name in (b"topic", b"partition", b"offset")]
        return texts[0], int(texts[1]), int(texts[2])
    except (KeyError, ValueError):
        return None


# -- letters of the whole ---------------------------------------------------------------------------------------


def check_replays(world: World, out: Findings) -> None:
    """A letter is taken once by a replay, judged once, and not sent again after it was judged."""
    out.saw("replay", len(world.replays))
    for (letter, replay), count in Counter(world.replays).items():
        if count > 1:
            out.wrong("replay", f"letter {letter}", f"taken {count} times by replay {replay}", _history(letter))
    for letter, count in world.effects.items():
        fact = world.letters.get(letter)
        if fact is None:
            out.wrong("replay", f"letter {letter}", "named by a replayed record's row, but not in the table")
        elif count > 1:
            out.wrong("replay", f"letter {letter}", f"judged {count} times", _history(letter))
    taken = {letter for letter, _ in world.replays}
    for letter, copies in world.copies.items():
        fact = world.letters.get(letter)
        if fact is None or letter not in taken:
            continue  # a forged header, which means nothing
        for where, at in sorted(copies, key=lambda copy: copy[1])[1:]:
            if fact.replayed is not None and at > fact.replayed // 1000 + LATE_MS:
                detail = f"sent again {at - fact.replayed // 1000} ms after its replay was judged"
                out.wrong("replay", f"letter {letter} at {where}", detail, _history(letter))
    for letter, fact in world.letters.items():
        sent = world.copies.get(letter)
        if fact.place[0] in INGEST and fact.state == "replayed" and not sent and world.topics_read:
            out.wrong("replay", f"letter {letter}", "replayed by its row, but on no topic", _history(letter))


def _history(letter: UUID) -> str:
    return f"SELECT * FROM letter_log WHERE letter_id = '{letter}' ORDER BY id"


def check_refusals(world: World, out: Findings) -> None:
    """Letters of deliveries are what the receiver refused for good; dead alerts have one, and no other does."""
    refused: dict[str, set[int]] = {}
    for post in world.posts:
        refused.setdefault(post.id, set()).add(post.status)
    dead = {letter.alert_id for letter in world.others if letter.stage == "deliver" and letter.alert_id is not None}
    out.saw("blame", len(world.others))
    for letter in world.others:
        where = f"letter {letter.id} ({letter.topic}:{letter.partition}:{letter.offset})"
        query = f"SELECT * FROM dead_letters WHERE id = '{letter.id}'"
        if letter.reason == "delivery" and world.forwarded:
            answers = refused.get(str(letter.alert_id), set())
            if not any(final(status) for status in answers):
                out.wrong("blame", where, f"the receiver never refused its alert for good: {sorted(answers)}", query)
        elif letter.reason == "delivery_expired" and not world.retry_max_age:
            out.wrong("blame", where, "expired, though nobody set moog_retry_max_age", query)
    for alert, fact in world.alerts.items():
        if fact.state == "dead" and alert not in dead:
            query = f"SELECT * FROM alerts WHERE id = '{alert}'"
            out.wrong("alert_lost", ":".join(map(str, fact.place)), f"alert {alert} is dead without a letter", query)


def final(status: int) -> bool:
    """Whether an answer means that the receiver will never take this alert."""
    return not (200 <= status < 300 or status >= 500 or status < 100 or status in RETRIED)
