"""Spans of OpenTelemetry: what became of one event, from the request that published it to the receiver's answer, in one
trace. Needs the extra `otel`; each class wraps a port, so without an address to export to none of this is in the way.

Names and attributes: the semantic conventions for messaging and HTTP, https://opentelemetry.io/docs/specs/semconv/.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import uuid
from collections.abc import Sequence
from itertools import islice
from typing import Any, Self

from msgspec import UnsetType
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, Span, SpanKind, StatusCode, Tracer, get_current_span, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from schemas.rows import EPOCH
from schemas.trace_context import HEADER, traceparent
from schemas.versions import MUTT_VERSION
from streams.core.delivery import Answer
from streams.core.ingest import EventSink, Headers, IngestRecord, Published, Unpublished
from streams.core.ports import AlertSink, Clock, OutboxPublisher
from streams.core.work import Decided, Work

EXPORT_TIMEOUT_S = 2.0
"""A collector that is away costs its spans, and a stop so long."""
MOST_LINKS = 128
"""Events of a batch that its span links to: the default limit of the SDK."""

_FORM = TraceContextTextMapPropagator()


class Spans:
    """Implements Tracing, and exports to an OTLP collector over HTTP from a thread with a bounded queue."""

    def __init__(self, service: str, processor: SpanProcessor) -> None:
        resource = Resource.create({"service.name": service, "service.version": MUTT_VERSION})
        self._provider = TracerProvider(resource=resource)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("mutt", MUTT_VERSION)

    @classmethod
    def exported_to(cls, endpoint: str, service: str) -> Self:
        exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=EXPORT_TIMEOUT_S)
        return cls(service, BatchSpanProcessor(exporter))

    def events(self, sink: EventSink) -> EventSink:
        return TracedEvents(sink, self._tracer)

    def outbox(self, outbox: OutboxPublisher, clock: Clock) -> OutboxPublisher:
        return TracedOutbox(outbox, self._tracer, clock)

    def sink(self, sink: AlertSink) -> AlertSink:
        return TracedSink(sink, self._tracer)

    async def close(self) -> None:
        """Exports what waits, for EXPORT_TIMEOUT_S or a little more."""
        await asyncio.to_thread(self._provider.shutdown)


class TracedEvents:
    """Implements EventSink: a span around each request's records, which carry its context from then on."""

    def __init__(self, sink: EventSink, tracer: Tracer) -> None:
        self._sink = sink
        self._tracer = tracer

    async def publish(self, records: Sequence[IngestRecord], headers: Headers = ()) -> list[Published | Unpublished]:
        caller = _context(traceparent(value for name, value in headers if name == HEADER))
        attributes = _messaging("send", ",".join(sorted({record.topic for record in records})), len(records))
        with self._tracer.start_as_current_span(
            "send events", caller, SpanKind.PRODUCER, attributes, record_exception=False
        ) as span:
            others = [(name, value) for name, value in headers if name != HEADER]
            outcomes: list[Published | Unpublished] = await self._sink.publish(
                records, [*others, (HEADER, _written(set_span_in_context(span)).encode())]
            )
            lost = sum(isinstance(outcome, Unpublished) for outcome in outcomes)
            if lost:
                span.set_status(StatusCode.ERROR, f"{lost} of {len(outcomes)} not acknowledged")
            return outcomes


class TracedOutbox:
    """Implements OutboxPublisher: what is published here is committed. A span for the batch, linked to the events that
    have a trace, and one in the trace of each event that raised an alert."""

    def __init__(self, outbox: OutboxPublisher, tracer: Tracer, clock: Clock) -> None:
        self._outbox = outbox
        self._tracer = tracer
        self._clock = clock

    async def publish(self, decided: Decided) -> None:
        try:
            await self._outbox.publish(decided)
        finally:
            self._tell(decided)

    def _tell(self, decided: Decided) -> None:
        began, ended = _nanoseconds(decided.work.now), _nanoseconds(self._clock.now())
        batch = self._batch(decided, began)
        batch.end(ended)
        links = [Link(batch.get_span_context())]
        for alert in decided.alerts:
            if not isinstance(alert.traceparent, UnsetType):
                about = {"mutt.event_id": alert.event_id, "mutt.alert_id": str(alert.id)}
                within = _context(alert.traceparent)
                self._tracer.start_span("match", within, attributes=about, links=links, start_time=began).end(ended)

    def _batch(self, decided: Decided, began: int) -> Span:
        work = decided.work
        about = _messaging("process", work.topic.name, len(work.records)) | {
            "messaging.destination.partition.id": str(work.partition),
            "messaging.kafka.offset": work.first,
        }
        return self._tracer.start_span(
            f"process {work.topic.name}", Context(), SpanKind.CONSUMER, about, _links(work), began
        )

    async def publish_pending(self, topic: str, partition: int) -> int:
        return await self._outbox.publish_pending(topic, partition)

    async def flush(self) -> None:
        await self._outbox.flush()


class TracedSink:
    """Implements AlertSink: a span around each attempt; the receiver gets it as its parent."""

    def __init__(self, sink: AlertSink, tracer: Tracer) -> None:
        self._sink = sink
        self._tracer = tracer

    async def post(self, alert_id: uuid.UUID, body: bytes, trace: str | None = None) -> Answer:
        if trace is None:
            return await self._sink.post(alert_id, body)
        with self._tracer.start_as_current_span(
            "POST alert", _context(trace), SpanKind.CLIENT, {"mutt.alert_id": str(alert_id)}, record_exception=False
        ) as span:
            answer = await self._sink.post(alert_id, body, _written(set_span_in_context(span)))
            if answer.status is not None:
                span.set_attribute("http.response.status_code", answer.status)
            if answer.status is None or answer.status >= 400:
                span.set_status(StatusCode.ERROR, answer.fault.value if answer.fault else None)
            return answer


def _links(work: Work) -> list[Link]:
    """To the events of the batch that have a trace."""
    named = (traceparent(value for name, value in record.headers if name == HEADER) for record in work.records)
    contexts = (get_current_span(_context(name)).get_span_context() for name in named if name)
    return [Link(context) for context in islice(contexts, MOST_LINKS)]


def _messaging(operation: str, destination: str, count: int) -> dict[str, Any]:
    return {
        "messaging.system": "kafka",
        "messaging.operation.type": operation,
        "messaging.destination.name": destination,
        "messaging.batch.message_count": count,
    }


def _context(parent: str | None) -> Context:
    """Of the span that a `traceparent` names; without one a new trace begins."""
    return _FORM.extract({HEADER: parent}, Context()) if parent else Context()


def _written(context: Context) -> str:
    carrier: dict[str, str] = {}
    _FORM.inject(carrier, context)
    return carrier[HEADER]


def _nanoseconds(moment: dt.datetime) -> int:
    return (moment - EPOCH) // dt.timedelta(microseconds=1) * 1000
