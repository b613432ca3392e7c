"""Dead letters of records on `mutt.alerts`: alerts that could not be delivered, and records that are none of ours."""

from __future__ import annotations

import datetime as dt

from schemas.alerts import Alert
from schemas.dead_letters import DeadLetter, Reason
from schemas.events import Position, derived_id
from schemas.topics import ALERTS
from streams.core.batches import Record
from streams.core.letter_headers import clean_detail
from streams.core.letters import header_names


def undelivered_letter(
    record: Record,
    partition: int,
    reason: Reason,
    detail: str,
    *,
    now: dt.datetime,
    alert: Alert | None = None,
    attempts: int = 1,
    first_failed_at: dt.datetime | None = None,
) -> DeadLetter:
    """The letter of this record. A replayed alert is another record, so its second death is another letter.

    `attempts` counts the posts of the alert; a letter without an alert stands for a record that no row explains.
    """
    position = Position(ALERTS.name, partition, record.offset, record.timestamp)
    return DeadLetter(
        id=derived_id("letter", position),
        reason=reason,
        detail=clean_detail(detail),
        topic=position.topic,
        partition=partition,
        offset=record.offset,
        timestamp=record.timestamp,
        key=record.key,
        value=record.value,
        headers=header_names(record.headers),
        hostname=alert.hostname if alert else None,
        rule_id=alert.rule_id if alert else None,
        alert_id=alert.id if alert else None,
        attempts=max(1, attempts),
        first_failed_at=first_failed_at or now,
        last_failed_at=now,
    )
