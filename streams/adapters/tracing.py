"""Whether spans are exported: only where a collector is named, and only then is OpenTelemetry imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.errors import SettingsRefused
from schemas.settings import Settings

if TYPE_CHECKING:
    from streams.adapters.spans import Tracing


def tracing(settings: Settings, service: str) -> Tracing | None:
    """None without OTEL_EXPORTER_OTLP_ENDPOINT. Raises SettingsRefused where the extra `otel` is not installed."""
    if settings.otel_exporter_otlp_endpoint is None:
        return None
    try:
        from streams.adapters.spans import Tracing
    except ImportError as missing:
        why = f"OTEL_EXPORTER_OTLP_ENDPOINT needs {missing.name}, which is not installed: pip install 'mutt[otel]'"
        raise SettingsRefused(why) from None
    return Tracing.exported_to(settings.otel_exporter_otlp_endpoint, service)
