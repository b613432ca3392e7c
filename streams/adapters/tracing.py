"""Whether spans are exported: only where a collector is named, and only then is OpenTelemetry imported."""

from __future__ import annotations

from typing import Protocol

from schemas.errors import SettingsRefused
from schemas.settings import Settings
from streams.core.ingest import EventSink
from streams.core.ports import AlertSink, Clock, OutboxPublisher


class Tracing(Protocol):
    """Wraps the ports of one service in what tells of them."""

    def events(self, sink: EventSink) -> EventSink: ...

    def outbox(self, outbox: OutboxPublisher, clock: Clock) -> OutboxPublisher: ...

    def sink(self, sink: AlertSink) -> AlertSink: ...

    async def close(self) -> None: ...


class Untraced:
    """Implements Tracing: everything stays as it is."""

    def events(self, sink: EventSink) -> EventSink:
        return sink

    def outbox(self, outbox: OutboxPublisher, clock: Clock) -> OutboxPublisher:
        return outbox

    def sink(self, sink: AlertSink) -> AlertSink:
        return sink

    async def close(self) -> None:
        """Nothing waits."""


def tracing(settings: Settings, service: str) -> Tracing:
    """Untraced without OTEL_EXPORTER_OTLP_ENDPOINT. Raises SettingsRefused where the extra `otel` is not installed."""
    if settings.otel_exporter_otlp_endpoint is None:
        return Untraced()
    try:
        from streams.adapters.spans import Spans
    except ImportError as missing:
        why = f"OTEL_EXPORTER_OTLP_ENDPOINT needs {missing.name}, which is not installed: pip install 'mutt[otel]'"
        raise SettingsRefused(why) from None
    return Spans.exported_to(settings.otel_exporter_otlp_endpoint, service)
