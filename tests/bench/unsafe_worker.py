"""A match worker without its guarantees, to see what they cost: no ledger, no outbox, no compare-and-set.

What is left: decide, COPY the audit rows, keep signatures, publish the alerts. Patched here, and nowhere in mutt.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from msgspec.structs import replace

from ops.cli.mutt import main
from schemas.rows import AUDIT
from schemas.topics import ALERTS
from streams.adapters import batches, publisher
from streams.adapters.record_batches import RecordBatches
from streams.core.progress import Progress
from streams.core.work import Decided


async def commit(store: batches.PostgresBatchStore, decided: Decided, progress: Progress) -> Progress:
    async with store._pool.acquire() as connection:
        if decided.audit:
            await connection.copy_records_to_table("audit", records=decided.audit, columns=AUDIT)
        await batches._keep_signatures(connection, decided)
    return replace(progress, next_offset=decided.work.after)


async def publish(outbox: publisher.KafkaOutbox, decided: Decided) -> None:
    records = [
        (alert.hostname.encode(), row[-1].encode(), [])
        for alert, row in zip(decided.alerts, decided.alert_rows, strict=True)
    ]
    if records:
        answers: list[asyncio.Future[Any]] = list(await RecordBatches(outbox._producer, ALERTS.name).send(records))
        await publisher.acknowledged(answers)


if __name__ == "__main__":
    batches.PostgresBatchStore.commit = commit  # type: ignore[method-assign]
    publisher.KafkaOutbox.publish = publish  # type: ignore[method-assign]
    sys.argv[1:] = ["worker", "match"]
    main()
