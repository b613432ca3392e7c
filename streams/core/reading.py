"""What records say, and what the rules say of them: many at once where they are plain, else one by one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import repeat
from typing import NamedTuple

from schemas import codec
from schemas.dead_letters import Reason
from schemas.errors import RecordRejected
from schemas.events import Decoded, Flag
from schemas.plain import decode_plain
from schemas.rows import instant
from streams.core.batches import CorruptBatch, OversizedBatch, Record
from streams.core.matching import Judgement
from streams.core.signatures import signature, signatures
from streams.core.work import Work, replay_header

Read = tuple[Decoded, Judgement, int | None]
"""What a record says, what the rules say of it, and its signature where no rule matches."""


class Rejected(NamedTuple):
    """Why a record is no event. Unlike the exception it keeps nothing alive of where it was found."""

    reason: Reason
    detail: str


Outcome = Read | Rejected | None

Hashed = Callable[[Sequence[str], Sequence[str]], Iterable[int]]
"""The signatures of hosts and their messages."""


def _each(hostnames: Sequence[str], messages: Sequence[str]) -> Iterable[int]:
    """Where messages may hold line feeds, or what cannot be encoded."""
    return map(signature, hostnames, messages)


def read_together(work: Work, part: Sequence[Record]) -> Iterable[Outcome]:
    """What each record says, or why it is rejected, or nothing: then it is looked at alone.

    Read together are records that nobody refused and that replay no letter.
    """
    values = [record.value for record in part]
    replays = work.replays and any([record.headers and replay_header(record) for record in part])  # noqa: C419
    if None in values or work.refused or replays:
        return repeat(None)
    try:
        plain = decode_plain(values, work.topic)  # type: ignore[arg-type]
        return _mixed(work, part) if plain is None else _judged(work, part, plain, signatures)
    except Exception:  # noqa: BLE001 - a defect of ours: read alone, each record shows whether it meets it
        return repeat(None)


def read_alone(work: Work, record: Record, received: dt.datetime) -> Read:
    """What one record says that came at this time by the broker. Raises RecordRejected."""
    decoded = codec.decode(record.value, work.topic, record.key, received)
    _flag_mismatches([record], [decoded])
    judgement = work.knowledge.judge(decoded.event)
    return decoded, judgement, signature(*shown(decoded)) if judgement.rule is None else None


def _mixed(work: Work, part: Sequence[Record]) -> list[Outcome]:
    """Decoded one by one; the rules are asked of all that did at once."""
    found = [_decoded(work, record) for record in part]
    read = [(record, one) for record, one in zip(part, found, strict=True) if isinstance(one, Decoded)]
    reads = _judged(work, [record for record, _ in read], [one for _, one in read], _each)
    return [next(reads) if isinstance(one, Decoded) else one for one in found]


def _decoded(work: Work, record: Record) -> Decoded | Rejected | None:
    """Nothing where it only stands for records."""
    if isinstance(record, OversizedBatch | CorruptBatch):
        return None
    try:
        return codec.decode(record.value, work.topic, record.key, instant(record.timestamp))
    except RecordRejected as rejected:
        return Rejected(rejected.reason, rejected.detail)


def _judged(work: Work, records: Sequence[Record], decoded: Sequence[Decoded], hashed: Hashed) -> Iterator[Read]:
    """With what the rules say."""
    _flag_mismatches(records, decoded)
    judged = work.knowledge.judge_all([one.event for one in decoded])
    return zip(decoded, judged, _signatures(decoded, judged, hashed), strict=True)


def shown(decoded: Decoded) -> tuple[str, str]:
    """Host and message as text columns take them; texts without flags need no look."""
    event = decoded.event
    if decoded.flags:
        return codec.visible(event.hostname), codec.visible(event.message)
    return event.hostname, event.message


def _flag_mismatches(records: Iterable[Record], decoded: Iterable[Decoded]) -> None:
    """Says so where a record's key is not its host."""
    keys = [record.key for record in records]
    hosts = [one.event.hostname.encode("utf-8", "surrogatepass") for one in decoded]
    if keys == hosts:
        return
    for key, host, one in zip(keys, hosts, decoded, strict=True):
        if key is not None and key != host:
            one.flags += (Flag.KEY_MISMATCH,)


def _signatures(decoded: Sequence[Decoded], judged: Sequence[Judgement], hashed: Hashed) -> Iterator[int | None]:
    """The signature of each event that no rule matches."""
    strange = [shown(one) for one, judgement in zip(decoded, judged, strict=True) if judgement.rule is None]
    keys = iter(hashed([host for host, _ in strange], [message for _, message in strange]))
    return (next(keys) if judgement.rule is None else None for judgement in judged)
