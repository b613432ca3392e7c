"""One event's trace, from the request to the receiver, exported over OTLP by three processes of mutt."""

from __future__ import annotations

import asyncio
import http.server
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from msgspec.structs import replace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from ops.devstack.layout import free_port
from schemas.secret_names import API_KEY
from tests.builders import event_json
from tests.integration.api_process import process
from tests.integration.conftest import System
from tests.integration.forwarding import listening
from tests.integration.pipeline import add_rule, until

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@dataclass
class Collector:
    """What was exported: service, name, span and parent of each span of TRACE."""

    url: str = ""
    spans: set[tuple[str, str, str, str]] = field(default_factory=set)

    def take(self, body: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            told = {pair.key: pair.value.string_value for pair in resource.resource.attributes}
            for span in (span for scope in resource.scope_spans for span in scope.spans):
                if span.trace_id.hex() == TRACE:
                    ids = (span.span_id.hex(), span.parent_span_id.hex())
                    self.spans.add((told["service.name"], span.name, *ids))


@contextmanager
def collecting() -> Iterator[Collector]:
    """An OTLP collector on the loopback."""
    collector = Collector()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            collector.take(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()


async def test_one_trace_from_the_request_to_the_receiver(system: System) -> None:
    await add_rule(system.database.pool, "link down")
    key = system.database.secrets.get(API_KEY)
    assert key is not None
    headers = {"X-API-KEY": key.reveal(), "traceparent": f"00-{TRACE}-{CALLER}-01"}
    with collecting() as collector:
        traced = {"otel_exporter_otlp_endpoint": collector.url}
        async with listening() as receiver:
            system.start("match-1", **traced)
            system.start("forward-1", webhook_url=receiver.url, **traced)
            with process(replace(system.settings, api_port=free_port(), **traced)) as (port, _):
                url, body = f"http://127.0.0.1:{port}/api/v2/events", event_json(message="link down")
                request = urllib.request.Request(url, body, headers | {"Content-Type": "application/json"})
                with await asyncio.to_thread(urllib.request.urlopen, request, timeout=30) as answer:
                    assert answer.status == 202

                async def whole() -> bool:
                    return {name for _, name, _, _ in collector.spans} == {"send events", "match", "POST alert"}

                await until(whole, "spans of all three")
    found = {(service, name): (span, parent) for service, name, span, parent in collector.spans}
    sent_as, sent_under = found["mutt-api", "send events"]
    assert sent_under == CALLER
    assert {found["mutt-match", "match"][1], found["mutt-forward", "POST alert"][1]} == {sent_as}
