"""What records say, and what the rules say of them: many at once where they are plain, else one by one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat

from schemas import codec
from schemas.events import Decoded, Event, Flag
from schemas.plain import decode_plain
from streams.core.batches import Record
from streams.core.matching import Judgement
from streams.core.signatures import signature, signatures
from streams.core.work import Work

Read = tuple[Decoded, Judgement, int | None]
"""What a record says, what the rules say of it, and its signature where no rule matches."""


def read_together(work: Work, part: Sequence[Record]) -> Iterable[Read | None]:
    """What each record says, or nothing: then each is read alone, and says itself what is wrong.

    Read together are records without headers that nobody refused; a replay names its letter in a header.
    """
    values = [record.value for record in part]
    if None in values or work.refused or any([record.headers for record in part]):  # noqa: C419
        return repeat(None)
    try:
        decoded = decode_plain(values, work.topic)  # type: ignore[arg-type]
        if decoded is None:
            return repeat(None)
        _flag_mismatches(part, decoded)
        events = [one.event for one in decoded]
        judged = work.knowledge.judge_all(events)
        return zip(decoded, judged, _signatures(events, judged), strict=True)
    except Exception:  # noqa: BLE001 - a defect of ours: read alone, each record shows whether it meets it
        return repeat(None)


def read_alone(work: Work, record: Record, received: dt.datetime) -> Read:
    """What one record says that came at this time by the broker. Raises RecordRejected."""
    decoded = codec.decode(record.value, work.topic, record.key, received)
    _flag_mismatches([record], [decoded])
    judgement = work.knowledge.judge(decoded.event)
    return decoded, judgement, signature(*shown(decoded)) if judgement.rule is None else None


def shown(decoded: Decoded) -> tuple[str, str]:
    """Host and message as text columns take them; texts without flags need no look."""
    event = decoded.event
    if decoded.flags:
        return codec.visible(event.hostname), codec.visible(event.message)
    return event.hostname, event.message


def _flag_mismatches(records: Iterable[Record], decoded: Iterable[Decoded]) -> None:
    """Says so where a record's key is not its host."""
    for record, one in zip(records, decoded, strict=True):
        key = record.key
        if key is not None and key != one.event.hostname.encode("utf-8", "surrogatepass"):
            one.flags += (Flag.KEY_MISMATCH,)


def _signatures(events: Sequence[Event], judged: Sequence[Judgement]) -> Iterator[int | None]:
    """The signature of each plain event that no rule matches."""
    strange = [event for event, judgement in zip(events, judged, strict=True) if judgement.rule is None]
    keys = iter(signatures([event.hostname for event in strange], [event.message for event in strange]))
    return (next(keys) if judgement.rule is None else None for judgement in judged)
