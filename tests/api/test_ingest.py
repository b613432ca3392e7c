"""Events by HTTP, without a broker: the documented v1 shapes field by field, and what each event of v2 became."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.door import Depth, Door
from api.events import Events
from api.ingest import Ingest
from api.metrics import ApiMetrics
from schemas.config import DynamicConfig
from schemas.errors import BrokerUnavailable, StoreUnavailable
from streams.core.ingest import Headers, IngestRecord, Published, Unpublished
from tests.api.window import window_of

EVENT: dict[str, Any] = {"timestamp": "2026-03-01T12:00:00Z", "hostname": "h1", "message": "m"}
PATHS = ("/ingest", "/api/v1/ingest")
V2 = "/api/v2/events"
HEADERS = {"X-Correlation-ID": "c-1"}


@dataclass
class MemorySink:
    """Implements EventSink; what stands in `unknown` is not acknowledged."""

    records: list[IngestRecord] = field(default_factory=list)
    headers: list[Headers] = field(default_factory=list)
    unknown: frozenset[int] = frozenset()
    fault: Exception | None = None

    async def publish(self, records: Sequence[IngestRecord], headers: Headers = ()) -> list[Published | Unpublished]:
        if self.fault is not None:
            raise self.fault
        begin = len(self.records)
        self.records += records
        self.headers.append(headers)
        return [
            Unpublished(unknown=True) if number in self.unknown else Published(record.topic, 0, begin + number)
            for number, record in enumerate(records)
        ]


@dataclass
class Waiting:
    """Implements UndecidedRecords."""

    records: int = 3
    fault: Exception | None = None

    async def count(self) -> int:
        if self.fault is not None:
            raise self.fault
        return self.records


@dataclass
class World:
    config: DynamicConfig = field(default_factory=DynamicConfig)
    sink: MemorySink = field(default_factory=MemorySink)
    waiting: Waiting = field(default_factory=Waiting)
    now: float = 100.0
    lost: list[int] = field(default_factory=list)
    """Events that count against the ingestor."""
    metrics: ApiMetrics = field(init=False)

    def __post_init__(self) -> None:
        self.metrics = ApiMetrics(lost=self.lost.append)

    def client(self) -> TestClient:
        depth = Depth(self.waiting, self.metrics, clock=lambda: self.now)
        door = Door(self.sink, depth, lambda: self.config, self.metrics, clock=lambda: self.now)
        return window_of(
            [Ingest(door, self.metrics), Events(door, self.metrics)], headers=HEADERS, metrics=self.metrics
        )

    def refused(self, reason: str) -> float:
        labels = {"status": "fail", "reason": reason}
        return self.metrics.registry.get_sample_value("mutt_ingest_requests_total", labels) or 0.0


@pytest.mark.parametrize("path", PATHS)
def test_v1_one_event(path: str) -> None:
    world = World()
    answer = world.client().post(path, json=EVENT | {"own": {"kept": 1}})
    assert answer.status_code == 200
    assert answer.json() == {"status": "queued", "correlation_id": "c-1", "queue_depth": 3}
    (record,) = world.sink.records
    assert (record.topic, record.key) == ("mutt.ingest.syslog", b"h1")
    assert json.loads(record.value) == EVENT | {"own": {"kept": 1}}
    assert ("deprecation" in answer.headers) is path.startswith("/api/v1")


@pytest.mark.parametrize(
    ("event", "topic"),
    [
        (EVENT | {"source": "snmp"}, "mutt.ingest.snmp"),
        (EVENT | {"trap_oid": "1.3.6.1"}, "mutt.ingest.snmp"),
        (EVENT | {"source": "app"}, "mutt.ingest.syslog"),
    ],
)
def test_where_an_event_goes(event: dict[str, Any], topic: str) -> None:
    world = World()
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    assert world.client().post("/ingest", json=event, headers={"traceparent": trace}).status_code == 200
    assert [record.topic for record in world.sink.records] == [topic]
    assert world.sink.headers == [[("traceparent", trace.encode())]]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", None),
        (b"{", "json"),
        (b"[]", "json"),
        (b'{"hostname":"h"}', "validation"),
        (json.dumps(EVENT | {"hostname": None}).encode(), "validation"),
        (json.dumps(EVENT | {"syslog_severity": "3"}).encode(), "validation"),
        (json.dumps(EVENT).encode()[:-1] + b',"hostname":"h2"}', "validation"),
        (b'{"timestamp":"t","hostname":"caf\xe9","message":"m"}', "json"),
    ],
)
def test_v1_what_is_no_event_is_400(path: str, body: bytes, reason: str | None) -> None:
    world = World()
    answer = world.client().post(path, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert answer.json() == {"status": "error", "message": answer.json()["message"], "correlation_id": "c-1"}
    assert world.sink.records == []
    if reason is not None:
        assert world.refused(reason) == 1


@pytest.mark.parametrize("path", PATHS)
def test_v1_too_many_too_full_and_away(path: str) -> None:
    world = World(config=DynamicConfig(ingest_max_rate=2, ingest_rate_window=60, max_ingest_queue_size=10))
    client = world.client()
    assert [client.post(path, json=EVENT).status_code for _ in range(3)] == [200, 200, 429]
    world.now += 20.5
    answer = client.post(path, json=EVENT)
    assert answer.json() == {
        "status": "error",
        "message": answer.json()["message"],
        "correlation_id": "c-1",
        "retry_after": 40,
    }
    assert answer.headers["retry-after"] == "40"
    world.now += 40
    world.waiting.records = 10
    full = client.post(path, json=EVENT)
    assert (full.status_code, full.headers["retry-after"]) == (503, "5")
    assert full.json() == {
        "status": "error",
        "message": full.json()["message"],
        "correlation_id": "c-1",
        "queue_depth": 10,
        "queue_limit": 10,
    }
    world.waiting.records, world.sink.fault = 0, BrokerUnavailable("down")
    world.now += 61
    away = client.post(path, json=EVENT)
    assert (away.status_code, away.headers["retry-after"]) == (503, "5")
    assert set(away.json()) == {"status", "message", "correlation_id"}
    assert (world.refused("rate_limit"), world.refused("queue_full"), world.refused("unknown")) == (2, 1, 1)
    assert world.lost == [1, 1]


def test_a_depth_that_nobody_can_count_is_guessed() -> None:
    world = World()
    client = world.client()
    assert client.post("/ingest", json=EVENT).json()["queue_depth"] == 3
    world.waiting.fault = StoreUnavailable("down")
    world.now += 5
    assert client.post("/ingest", json=EVENT).json()["queue_depth"] == 4


def test_while_the_broker_is_away_nothing_is_sent() -> None:
    world = World(sink=MemorySink(fault=BrokerUnavailable("down")))
    client = world.client()
    assert [client.post(V2, json=EVENT).status_code for _ in range(3)] == [503] * 3
    world.sink.fault = None
    known = client.post(V2, json=EVENT)
    assert (known.status_code, known.json()["type"]) == (503, "/problems/unavailable")
    assert "nothing was sent" in known.json()["detail"]
    world.now += 3.1
    assert client.post(V2, json=EVENT).status_code == 202


def test_A15_one_bad_line_of_ten() -> None:
    world = World(sink=MemorySink(unknown=frozenset({8})))
    lines = [json.dumps(EVENT | {"message": f"{n}"}).encode() for n in range(10)]
    lines[4] = b"{}"
    body = b"\r\n".join(lines[:5]) + b"\n\n" + b"\n".join(lines[5:])
    answer = world.client().post(V2, content=body, headers={"Content-Type": "application/x-ndjson"})
    assert answer.status_code == 202
    assert answer.json()["counts"] == {"published": 8, "rejected": 1, "unknown": 1}
    items = answer.json()["items"]
    assert items[0] == {
        "index": 0, "status": "published", "topic": "mutt.ingest.syslog", "partition": 0, "offset": 0,
        "event_id": "mutt.ingest.syslog:0:0",
    }  # fmt: skip
    assert items[4] == {"index": 4, "status": "rejected", "error": items[4]["error"]}
    assert items[4]["error"]["reason"] == "missing_field"
    assert items[9] == {"index": 9, "status": "unknown"}


def test_A15_1001_events_are_413() -> None:
    client = World().client()
    answer = client.post(V2, json=[EVENT] * 1000)
    assert (answer.status_code, answer.json()["counts"]) == (202, {"published": 1000})
    assert client.post(V2, json=[EVENT] * 1001).status_code == 413
    lines = b"\n".join([json.dumps(EVENT).encode()] * 1001)
    assert client.post(V2, content=lines, headers={"Content-Type": "application/x-ndjson"}).status_code == 413


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"[", 400),
        (b"[{]", 400),
        (b"[]", 422),
        (b"{}", 422),
        (b"null", 422),
        (b'[{"hostname":1},{}]', 422),
        (b"", 400),
    ],
)
def test_bodies_without_a_good_event(body: bytes, status: int) -> None:
    answer = World().client().post(V2, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status
    if body.startswith(b'[{"'):
        assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/0", "/1"]


@pytest.mark.parametrize("media", ["text/plain", "application/xml", "multipart/form-data; boundary=x"])
def test_other_bodies_are_415(media: str) -> None:
    for path in (*PATHS, V2):
        answer = World().client().post(path, content=b"x", headers={"Content-Type": media})
        assert (answer.status_code, answer.headers["content-type"]) == (415, "application/problem+json")
