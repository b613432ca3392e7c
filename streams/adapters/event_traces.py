"""Traces for the API: bounded in time at the database and at the brokers."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

from streams.adapters.broker_access import Brokers
from streams.adapters.trace_documents import EventPlace, SourceRecord, is_known, trace_json, verdict_on
from streams.adapters.traces import Trace, Traces, read_record
from streams.adapters.transactions import Transactions

RECORD_S = 5.0
"""How long the record itself is looked for."""
NOT_READ = "it was not asked for"


class EventTraces:
    """Raises StoreUnavailable. Brokers that are away are told in the trace."""

    def __init__(self, transactions: Transactions, brokers: Brokers) -> None:
        self._transactions = transactions
        self._brokers = brokers

    async def trace(self, wanted: EventPlace | uuid.UUID, *, record: bool) -> dict[str, Any] | None:
        """What is known of the event, as `mutt trace --json` says it; None where nothing is."""
        place, found = await self._found(wanted)
        if place is None or found is None:
            return None
        source = await self._record(place) if record else NOT_READ
        if not is_known(found) and isinstance(source, str):
            return None
        return trace_json(place, found, source, verdict_on(place, found))

    async def _found(self, wanted: EventPlace | uuid.UUID) -> tuple[EventPlace | None, Trace | None]:
        async with self._transactions.reading() as connection:
            traces = Traces(connection)
            place = await traces.event_of_alert(wanted) if isinstance(wanted, uuid.UUID) else wanted
            return place, await traces.trace(*place) if place is not None else None

    async def _record(self, place: EventPlace) -> SourceRecord:
        try:
            async with asyncio.timeout(RECORD_S):
                return await read_record(self._brokers, *place)
        except TimeoutError:
            return "Kafka does not answer in time"
