"""Spans around the ports: one trace from the request to the receiver's answer, and nothing else changed."""

from __future__ import annotations

import datetime as dt
import sys
import uuid
from collections.abc import Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from schemas.errors import BrokerUnavailable, SettingsRefused
from schemas.rules import Handling
from schemas.settings import Settings
from schemas.topics import topics_by_name
from schemas.trace_context import HEADER
from streams.adapters.spans import MOST_LINKS, Spans
from streams.adapters.tracing import Tracing, Untraced, tracing
from streams.core.batches import PlainRecord
from streams.core.disposition import decide
from streams.core.ingest import Headers, IngestRecord, Published, Unpublished
from streams.core.matching import Knowledge
from streams.core.signatures import SignatureBook
from streams.core.work import Decided, Work
from tests.builders import event_json, rule, rule_set
from tests.fakes_forward import NO_ANSWER, FakeSink, FakeTime, status
from tests.fakes_match import FakeOutbox

TRACE, PARENT = "a" * 32, "b" * 16
CALLER = f"00-{TRACE}-{PARENT}-01"
UNSAMPLED = f"00-{TRACE}-{PARENT}-00"
KNOWLEDGE = Knowledge.of(rule_set(rule(), rule(id=2, match_string="link up", prod_handling=Handling.LOG_ONLY)))


class FakeEvents:
    """The EventSink port: remembers headers, gives the outcomes that it is told."""

    def __init__(self, *outcomes: Published | Unpublished) -> None:
        self.outcomes = list(outcomes)
        self.headers: list[Headers] = []

    async def publish(self, records: Sequence[IngestRecord], headers: Headers = ()) -> list[Published | Unpublished]:
        self.headers.append(headers)
        return self.outcomes


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def traced(exporter: InMemorySpanExporter) -> Tracing:
    return Spans("mutt-test", SimpleSpanProcessor(exporter))


def identity(span: ReadableSpan) -> str:
    """As a `traceparent` names it."""
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def parent(span: ReadableSpan) -> str | None:
    return None if span.parent is None else f"{span.parent.span_id:016x}"


def decided(*traces: str | None, message: str = "link down") -> Decided:
    """One batch, a record for each trace, decided at noon."""
    records = [
        PlainRecord(
            at, 1_772_366_400_000, b"h", event_json(message=message), ((HEADER, trace.encode()),) if trace else ()
        )
        for at, trace in enumerate(traces)
    ]
    noon = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
    topic = topics_by_name()["mutt.ingest.syslog"]
    return decide(
        Work(
            topic=topic, partition=3, first=0, after=len(records), records=records, knowledge=KNOWLEDGE,
            book=SignatureBook(), now=noon,
        )
    )  # fmt: skip


RECORD = IngestRecord("mutt.ingest.syslog", b"h", b"{}")
THERE = Published("mutt.ingest.syslog", 0, 7)


async def test_records_carry_the_span_of_their_request(exporter: InMemorySpanExporter, traced: Tracing) -> None:
    sink = FakeEvents(THERE)
    headers = [(HEADER, CALLER.encode()), ("x", b"y")]
    assert await traced.events(sink).publish([RECORD], headers) == [THERE]
    (span,) = exporter.get_finished_spans()
    assert (span.kind, parent(span)) == (SpanKind.PRODUCER, PARENT)
    assert sink.headers == [[("x", b"y"), (HEADER, identity(span).encode())]]
    assert identity(span).split("-")[1] == TRACE


async def test_a_request_without_a_trace_begins_one(exporter: InMemorySpanExporter, traced: Tracing) -> None:
    sink = FakeEvents(THERE)
    await traced.events(sink).publish([RECORD])
    (span,) = exporter.get_finished_spans()
    assert span.parent is None
    assert dict(sink.headers[0]) == {HEADER: identity(span).encode()}


async def test_what_was_not_acknowledged_is_an_error(exporter: InMemorySpanExporter, traced: Tracing) -> None:
    await traced.events(FakeEvents(THERE, Unpublished(unknown=True))).publish([RECORD, RECORD])
    (span,) = exporter.get_finished_spans()
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "1 of 2 not acknowledged")


async def test_a_caller_who_does_not_sample_is_heeded(exporter: InMemorySpanExporter, traced: Tracing) -> None:
    sink = FakeEvents(THERE)
    await traced.events(sink).publish([RECORD], [(HEADER, UNSAMPLED.encode())])
    assert exporter.get_finished_spans() == ()
    ((_, value),) = sink.headers[0]
    assert value.decode().split("-")[1::2] == [TRACE, "00"]


async def test_a_batch_is_a_span_and_each_alert_one_in_its_trace(
    exporter: InMemorySpanExporter, traced: Tracing
) -> None:
    clock, outbox, batch = FakeTime(), FakeOutbox(), decided(CALLER, None)
    clock.seconds = 0.5
    await traced.outbox(outbox, clock).publish(batch)
    assert outbox.published == [alert.id for alert in batch.alerts]
    of_batch, of_alert = exporter.get_finished_spans()
    assert (of_batch.name, of_batch.parent) == ("process mutt.ingest.syslog", None)
    assert [f"{link.context.trace_id:032x}" for link in of_batch.links] == [TRACE]
    assert (of_alert.name, parent(of_alert)) == ("match", PARENT)
    assert [link.context for link in of_alert.links] == [of_batch.get_span_context()]
    assert of_alert.attributes is not None
    assert of_alert.attributes["mutt.event_id"] == "mutt.ingest.syslog:3:0"
    for span in (of_batch, of_alert):
        assert span.start_time is not None
        assert span.end_time is not None
        assert span.end_time - span.start_time == 500_000_000


async def test_events_that_raise_no_alert_are_linked_alone(exporter: InMemorySpanExporter, traced: Tracing) -> None:
    await traced.outbox(FakeOutbox(), FakeTime()).publish(decided(*[CALLER] * 200, message="link up"))
    (span,) = exporter.get_finished_spans()
    assert len(span.links) == MOST_LINKS


async def test_a_batch_whose_publishing_fails_was_committed_all_the_same(
    exporter: InMemorySpanExporter, traced: Tracing
) -> None:
    outbox = FakeOutbox()
    outbox.faults.append(BrokerUnavailable("away"))
    around = traced.outbox(outbox, FakeTime())
    with pytest.raises(BrokerUnavailable):
        await around.publish(decided(CALLER))
    assert [span.name for span in exporter.get_finished_spans()] == ["process mutt.ingest.syslog", "match"]
    assert await around.publish_pending("mutt.ingest.syslog", 3) == 1


async def test_each_attempt_is_a_span_that_the_receiver_gets(exporter: InMemorySpanExporter, traced: Tracing) -> None:
    sink, alert_id = FakeSink(), uuid.uuid4()
    sink.answers[alert_id].extend([status(503), NO_ANSWER, status(200)])
    around = traced.sink(sink)
    for _ in range(3):
        await around.post(alert_id, b"{}", CALLER)
    spans = exporter.get_finished_spans()
    assert sink.traces == [identity(span) for span in spans]
    assert {parent(span) for span in spans} == {PARENT}
    assert [span.status.status_code for span in spans] == [StatusCode.ERROR, StatusCode.ERROR, StatusCode.UNSET]
    assert [(span.attributes or {}).get("http.response.status_code") for span in spans] == [503, None, 200]


async def test_an_alert_without_a_trace_has_no_span(exporter: InMemorySpanExporter, traced: Tracing) -> None:
    sink = FakeSink()
    await traced.sink(sink).post(uuid.uuid4(), b"{}")
    assert (sink.traces, exporter.get_finished_spans()) == ([None], ())


def test_without_a_collector_there_is_nothing() -> None:
    untraced, events, outbox, sink = tracing(Settings(), "mutt-match"), FakeEvents(), FakeOutbox(), FakeSink()
    assert type(untraced) is Untraced
    assert untraced.events(events) is events
    assert untraced.outbox(outbox, FakeTime()) is outbox
    assert untraced.sink(sink) is sink


def test_a_collector_without_the_extra_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "streams.adapters.spans")
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    monkeypatch.setitem(sys.modules, "opentelemetry.context", None)
    with pytest.raises(SettingsRefused, match=r"pip install 'mutt\[otel\]'"):
        tracing(Settings(otel_exporter_otlp_endpoint="http://127.0.0.1:4318"), "mutt-match")
