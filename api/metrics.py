"""Every metric of the API: what it means, and what to do when it moves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from schemas.dead_letters import Reason as DeadReason
from streams.process_metrics import add_process_metrics

_LATENCY = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

NO_ROUTE = "none"
"""The endpoint of requests whose path is no route: what a stranger asks for is never a label."""


class Reason(StrEnum):
    """Why a request was not answered with what it asked for; empty where it was."""

    NONE = ""
    UNAUTHORIZED = "unauthorized"
    NOT_FOUND = "not_found"
    METHOD = "method"
    VERSION = "version"
    INVALID = "invalid"
    UNAVAILABLE = "unavailable"
    INTERNAL_ERROR = "internal_error"


class Outcome(StrEnum):
    """What was found under an Idempotency-Key."""

    BEGUN = "begun"
    REPLAYED = "replayed"
    IN_FLIGHT = "in_flight"
    REUSED = "reused"
    LOST = "lost"


_REASONS = {
    401: Reason.UNAUTHORIZED,
    404: Reason.NOT_FOUND,
    405: Reason.METHOD,
    406: Reason.VERSION,
    410: Reason.VERSION,
    502: Reason.UNAVAILABLE,
    503: Reason.UNAVAILABLE,
    504: Reason.UNAVAILABLE,
}
_JUDGED = (Reason.NONE, Reason.UNAVAILABLE, Reason.INTERNAL_ERROR)
"""What counts for the objective of availability; all else is the caller's own fault."""


class Refusal(StrEnum):
    """Why the API did not publish an event; what it published is counted by the worker that settles it."""

    AUTH = "auth"
    JSON = "json"
    VALIDATION = "validation"
    RATE_LIMIT = "rate_limit"
    QUEUE_FULL = "queue_full"
    KAFKA = "kafka"
    UNKNOWN = "unknown"


_OURS = frozenset({Refusal.QUEUE_FULL, Refusal.KAFKA, Refusal.UNKNOWN})
_VALIDATION = frozenset({DeadReason.MISSING_FIELD, DeadReason.FIELD, DeadReason.DUPLICATE_KEY, DeadReason.TOO_LARGE})


def refusal_of(reason: DeadReason) -> Refusal:
    """For an event that would have been a dead letter."""
    return Refusal.VALIDATION if reason in _VALIDATION else Refusal.JSON


INGEST = frozenset({"/ingest", "/api/v1/ingest", "/api/v2/events"})


def reason_of(status: int) -> Reason:
    if status < 400:
        return Reason.NONE
    return _REASONS.get(status, Reason.INVALID if status < 500 else Reason.INTERNAL_ERROR)


_Bound = tuple[Counter, Histogram, bool | None]
"""What one endpoint and status move; and whether it is good for the objective, None where it does not count."""


def counts_for_objective(endpoint: str) -> bool:
    """Probes do not: they say how others are. schemas/objectives.yaml says the same to Prometheus."""
    return endpoint.startswith("/api/") or endpoint == "/ingest"


class ApiMetrics:
    """The metrics of one API process. `judged` is told of every answer that counts for its objective: was it good;
    `lost` of events that count against the ingestor's: how many were not published, through a fault of ours."""

    def __init__(
        self, *, judged: Callable[[bool], None] = lambda _: None, lost: Callable[[int], None] = lambda _: None
    ) -> None:
        self._judged = judged
        self._lost = lost
        self.registry = CollectorRegistry()
        add_process_metrics(self.registry)
        self._bound: dict[tuple[str, int], _Bound] = {}
        # Requests answered. internal_error: a defect, see the log by request id. unavailable: the breaker below
        # tells whether PostgreSQL is away; while it is closed, too much is asked at once or of one question, or what
        # answered 502 or 504 is Prometheus.
        # unauthorized rising: a client has an old key, or somebody tries keys.
        self.requests = Counter(
            "mutt_webui_api_requests_total",
            "Requests answered, by route.",
            ("endpoint", "status", "reason"),
            registry=self.registry,
        )
        # Rising with the next one: PostgreSQL is slow. Rising alone: the process is short of CPU.
        self.latency = Histogram(
            "mutt_webui_api_latency_seconds",
            "First byte of the request to the last of the answer.",
            ("endpoint",),
            buckets=_LATENCY,
            registry=self.registry,
        )
        # Rising: look at pg_stat_activity; audit searches over long stretches are the usual cause.
        self.db_latency = Histogram(
            "mutt_webui_db_query_latency_seconds",
            "What one request asks the database, failed or not.",
            ("operation",),
            buckets=_LATENCY,
            registry=self.registry,
        )
        # Reports of browsers on the console, of those who are signed in. Any: a script that is not ours tried to run,
        # or a page of ours asks for what its policy forbids; the log names it.
        self.policy_reports = Counter(
            "mutt_console_policy_reports_total",
            "What browsers stopped on pages of the console.",
            registry=self.registry,
        )
        # Requests without a key that opens, by why. unknown and wrong rising: somebody tries keys; auth_failures in the
        # database names addresses and key ids. expired and revoked: a client still has its old key; tell its owner.
        # limited: refused with 429 without being looked at.
        self.auth_failures = Counter(
            "mutt_api_auth_failures_total",
            "Requests that were not authenticated.",
            ("reason",),
            registry=self.registry,
        )
        # POST requests with an Idempotency-Key. replayed: a client lost an answer and asked again, which is fine.
        # lost: it was done, and the process or PostgreSQL went away before the answer was kept; look for a restart.
        # reused rising: a client gives different requests one key, and its later ones are refused.
        self.idempotency = Counter(
            "mutt_api_idempotent_requests_total",
            "POST requests with an Idempotency-Key, by what was found under it.",
            ("outcome",),
            registry=self.registry,
        )
        # 0 closed, 1 half-open, 2 open. Open: what it is named after failed many times in a row, so requests that need
        # it are 503 at once until a probe succeeds. Look at that service; the API goes on by itself.
        self.breaker_state = Gauge(
            "mutt_circuit_breaker_state", "State of a circuit breaker.", ("name",), registry=self.registry
        )
        self.breaker_failures = Gauge(
            "mutt_circuit_breaker_failures",
            "Failures in a row that a breaker has seen.",
            ("name",),
            registry=self.registry,
        )
        self.breaker_changes = Counter(
            "mutt_circuit_breaker_state_changes_total",
            "Transitions of a circuit breaker.",
            ("name", "from_state", "to_state"),
            registry=self.registry,
        )

        # Events that this API did not publish. auth, json, validation, rate_limit: their producers' fault. queue_full:
        # workers do not keep up. kafka: the broker is away, nothing was sent. unknown: it did not answer in time.
        self.ingest_requests = Counter(
            "mutt_ingest_requests_total", "Events refused.", ("status", "reason"), registry=self.registry
        )
        # Records that no worker has decided. Rising: more match workers or partitions; see the pauses too.
        self.ingest_queue_depth = Gauge(
            "mutt_ingest_queue_depth", "Undecided records, as of the last event.", registry=self.registry
        )
        # Rising: the broker is slow to acknowledge; look at its disk and at under-replicated partitions.
        self.ingest_latency = Histogram(
            "mutt_ingest_latency_seconds",
            "What a request waits for the broker.",
            buckets=_LATENCY[:-1],
            registry=self.registry,
        )
        # A client posts more than ingest_max_rate: raise it, or let it send in batches to Kafka itself.
        self.ingest_rate_limit_hits = Counter(
            "mutt_ingest_rate_limit_hits_total", "Requests over a key's rate.", registry=self.registry
        )

    def ingest_refused(self, why: Refusal, events: int) -> None:
        if events:
            self.ingest_requests.labels("fail", why.value).inc(events)
            if why in _OURS:
                self._lost(events)

    def answered(self, endpoint: str, status: int, seconds: float) -> None:
        count, latency, good = self._bound.get((endpoint, status)) or self._bind(endpoint, status)
        count.inc()
        latency.observe(seconds)
        if good is not None:
            self._judged(good)
        if status in (401, 403) and endpoint in INGEST:
            self.ingest_refused(Refusal.AUTH, 1)

    def expect(self, endpoints: Iterable[str]) -> None:
        """Shows zeros from the start: a series that begins with its first count hides that count from a rate."""
        for endpoint in filter(counts_for_objective, endpoints):
            for status in (200, 500, 503):
                self._bind(endpoint, status)

    def _bind(self, endpoint: str, status: int) -> _Bound:
        reason = reason_of(status)
        count = self.requests.labels(endpoint, "fail" if reason else "success", reason.value)
        good = not reason if reason in _JUDGED and counts_for_objective(endpoint) else None
        self._bound[endpoint, status] = bound = count, self.latency.labels(endpoint), good
        return bound

    @contextmanager
    def timed(self, operation: str) -> Iterator[None]:
        """Observes what runs inside as one database operation."""
        started = perf_counter()
        try:
            yield
        finally:
            self.db_latency.labels(operation).observe(perf_counter() - started)
