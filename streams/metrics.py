"""Every metric of the workers: what it means, and what to do when it moves.

Names follow `mutt_<noun>_<unit>[_total]`. Outcome labels are `status` (success, fail) with a closed `reason`. Hosts,
OIDs and rule texts are never labels. Children are bound once and added to once a batch.
"""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from schemas.dead_letters import Reason
from schemas.events import Disposition
from streams.core.delivery import DeliveryReason, Timing
from streams.core.vault import Trouble
from streams.process_metrics import add_process_metrics

REGISTRY = CollectorRegistry()
add_process_metrics(REGISTRY)

_LATENCY = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_GOOD = frozenset({Disposition.ALERTED, Disposition.LOGGED, Disposition.IGNORED, Disposition.UNHANDLED})


def _counter(name: str, meaning: str, labels: tuple[str, ...] = ()) -> Counter:
    return Counter(name, meaning, labels, registry=REGISTRY)


def _gauge(name: str, meaning: str, labels: tuple[str, ...] = ()) -> Gauge:
    return Gauge(name, meaning, labels, registry=REGISTRY)


# Events settled by this worker, by outcome. A rise of `fail` reasons that are producers' faults (json, field, ...):
# look at `mutt dlq stats`; of internal_error or database_value: a defect in mutt, report it.
INGEST_REQUESTS = _counter("mutt_ingest_requests_total", "Events settled, once each.", ("status", "reason"))

# The same by disposition. unhandled rising: rules are missing (see unhandled_signatures).
EVENTS_PROCESSED = _counter(
    "mutt_alerter_events_processed_total", "Events by disposition; shed and rejected are fail.", ("status", "reason")
)

# Alerts committed with their audit row. Falls to zero while events flow: rules no longer match.
ALERTS_COMMITTED = _counter("mutt_alerter_alerts_forwarded_total", "Alerts committed.")

# Storms of unmatched events. Each is an alert that names the host: write a rule for it.
META_ALERTS = _counter("mutt_alerter_unhandled_meta_alerts_total", "Meta-alerts about unmatched events.")

# Offsets gone from the log before mutt read them. Any increase: retention is too short or a topic is compacted.
OFFSETS_MISSING = _counter(
    "mutt_ledger_offsets_missing_total", "Offsets that were gone from the log before they were read."
)

# Broker time to commit. Rising with lag: more workers or partitions; rising without lag: PostgreSQL is slow.
PROCESSING_LATENCY = Histogram(
    "mutt_alerter_processing_latency_seconds",
    "Broker time of the newest record of a batch to the commit of the batch.",
    buckets=_LATENCY,
    registry=REGISTRY,
)

# One transaction of a batch. Rising: look at PostgreSQL's disk and locks.
DB_WRITE_LATENCY = Histogram(
    "mutt_db_write_latency_seconds", "Duration of a batch's transaction.", buckets=_LATENCY, registry=REGISTRY
)

# Records per transaction: large means the worker is busy, small that it is quiet.
BATCH_RECORDS = Histogram(
    "mutt_batch_records", "Records per transaction.", buckets=(1, 10, 50, 100, 500, 1000, 2000, 4000), registry=REGISTRY
)

# Transactions that lost the compare-and-set: a partition moved. Rising without rebalances: two workers fight for one.
BATCHES_FENCED = _counter("mutt_batches_fenced_total", "Batches given up because the partition stood elsewhere.")

# Tries that had to be repeated because PostgreSQL or Kafka was away. Rising: look at that server.
STORE_RETRIES = _counter("mutt_store_retries_total", "Repeated tries by what was away.", ("service",))

# Partitions paused now. halted above zero: run `mutt ledger show`, then `mutt ledger reset` for the partition named.
PARTITIONS_PAUSED = _gauge("mutt_partitions_paused", "Partitions paused, by reason.", ("reason",))

# Time partitions stood still, by reason. backlog: the receiver is slower than what arrives; sink: look at PostgreSQL
# and Kafka; operator: `mutt pauses` tells who and why; halted: as above.
PAUSED_SECONDS = _counter(
    "mutt_partitions_paused_seconds_total", "Seconds paused, summed over partitions.", ("reason",)
)

# Records and bytes held in memory; bounded by settings (I6). At the bound for long: the database is the bottleneck.
RECORDS_HELD = _gauge("mutt_records_held", "Records held in memory by the lanes.")
BYTES_HELD = _gauge("mutt_held_bytes", "Bytes of values held in memory by the lanes.")

# Assigned partitions of this worker. Zero for long: more workers than partitions, or it cannot join the group.
PARTITIONS_ASSIGNED = _gauge("mutt_partitions_assigned", "Partitions assigned to this worker.")

# The rule set in force. Differs between workers for more than a second: one cannot reach PostgreSQL.
RULESET_VERSION = _gauge("mutt_ruleset_version", "Version of the rule set in force.")
CACHE_RULES = _gauge("mutt_alerter_cache_rules_count", "Active rules in force.")
CACHE_DEV_HOSTS = _gauge("mutt_alerter_cache_dev_hosts_count", "Development hosts in force.")
CACHE_TEAMS = _gauge("mutt_alerter_cache_teams_count", "Hosts with a team in force.")

# Alerts pending fleet-wide; match workers count no further than the hard limit. Rising: the receiver is slow or down.
ALERTS_PENDING = _gauge("mutt_alerter_queue_depth", "Alerts pending delivery, fleet-wide.")

# 0 calm, 1 above warn, 2 above shed (alerts are shed or intake pauses), 3 above hard (intake pauses). 2 or 3 for long:
# the receiver cannot keep up; raise its rate limit with its owner, or the thresholds.
BACKLOG_LEVEL = _gauge("mutt_backlog_level", "Highest threshold that the backlog has reached.")

# Each crossing is a log line too. Many an hour: the thresholds lie within the ordinary swing, move them apart.
BACKLOG_CROSSINGS = _counter(
    "mutt_backlog_crossings_total", "Thresholds crossed by the backlog, up or down.", ("threshold", "direction")
)

# Events that would have raised an alert and became dead letters of reason shed; defer stays at 0, it only waits.
# Remediation replays them when the backlog is below warn; rising for long: see mutt_backlog_level.
SHED_EVENTS = _counter("mutt_alerter_shed_events_total", "Events shed, by mode.", ("mode",))

# Age of the last count of pending alerts. Beyond seconds: PostgreSQL is slow; the last count and level stay in force.
BACKLOG_COUNT_AGE = _gauge("mutt_backlog_count_age_seconds", "Seconds since the pending alerts were counted.")

# Partitions halted because mutt's own code failed on 20 records in a row: a defect, report it with the letters' detail.
INTERNAL_HALTS = _counter("mutt_internal_halts_total", "Partitions halted by a defect of mutt.")

# Posts made. fail by reason: http (5xx and refusals), rate_limit (429), auth (401, 403: check MOOG_API_KEY),
# timeout, connection.
MOOG_REQUESTS = _counter("mutt_moog_requests_total", "Posts to the receiver, by outcome.", ("status", "reason"))
MOOG_LATENCY = Histogram(
    "mutt_moog_request_latency_seconds",
    "Duration of a post.",
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=REGISTRY,
)

# Alerts that reached their end. fail: dead letters, see `mutt dlq stats --stage deliver`.
MOOG_ALERTS = _counter("mutt_moog_alerts_processed_total", "Alerts settled, by outcome.", ("status", "reason"))

# Alerts that came to their end; schemas/objectives.yaml says what is on time. late rising: the receiver, its rate limit
# or its breaker holds alerts back, look at mutt_alerter_queue_depth. given_up: dead letters of delivery.
ALERTS_ON_TIME = _counter(
    "mutt_alerts_on_time_total", "Alerts settled, by whether they were in time.", ("status", "reason")
)

# Alerts that waited for the rate limit. Rising for long: raise moog_rate_limit with the receiver's owner.
MOOG_RATE_LIMITED = _counter("mutt_moog_rate_limit_hits_total", "Alerts that waited for the rate limit.")

# This worker's part of moog_rate_limit. The workers' shares add up to 1; less: partitions of mutt.alerts have no owner.
MOOG_RATE_SHARE = _gauge("mutt_moog_rate_share_ratio", "Part of the fleet's rate limit that this worker may use.")

# 0 closed, 1 half-open, 2 open. Open: the receiver failed many times in a row; alerts wait, nothing is lost.
BREAKER_STATE = _gauge("mutt_circuit_breaker_state", "State of a circuit breaker.", ("name",))
BREAKER_FAILURES = _gauge("mutt_circuit_breaker_failures", "Failures in a row that a breaker has seen.", ("name",))
BREAKER_CHANGES = _counter(
    "mutt_circuit_breaker_state_changes_total", "Transitions of a circuit breaker.", ("name", "from_state", "to_state")
)

# Letters other tools put on mutt.dlq.
LETTERS_INDEXED = _counter("mutt_dead_letters_indexed_total", "Letters found on mutt.dlq and added to the table.")

# Traps read by the bridge. fail, broken: what snmptrapd printed was cut short or is not in the bridge's format; its log
# says how many bytes were left out.
SNMP_TRAPS = _counter("mutt_snmp_traps_total", "Traps carried from snmptrapd to Kafka.", ("status", "reason"))

# The three below are known to dead-letters workers alone, all of which say the same; no number (NaN) while PostgreSQL
# or Kafka is away, and 0 elsewhere: take the largest.
# Records that no worker has decided over. Rising: more match workers; standing while none is decided: see mutt pauses.
INGEST_LAG = _gauge("mutt_ingest_lag_records", "Records on the ingest topics that are not decided over yet.")

# Ranges among the latest ledger rows that do not follow one another. Any: run `mutt ledger verify`.
LEDGER_FAULTS = _gauge("mutt_ledger_faults", "Places where the ledger's latest ranges do not add up.")

# 0: no client is ever left without. Near: `mutt keys list`, then `mutt keys rotate` with the client's owner.
KEYS_FIRST_EXPIRY = _gauge(
    "mutt_api_keys_first_expiry_timestamp_seconds", "Unix time at which the first API client is left without a key."
)

_PROCESSED = {name: EVENTS_PROCESSED.labels("success" if name in _GOOD else "fail", name.value) for name in Disposition}
_SETTLED = {reason: INGEST_REQUESTS.labels("fail", reason.value) for reason in Reason}
_SETTLED_WELL = INGEST_REQUESTS.labels("success", "")
_SETTLED_MISSING = INGEST_REQUESTS.labels("fail", "missing")
_SHED = {mode: SHED_EVENTS.labels(mode) for mode in ("dlq", "defer")}["dlq"]
# 0 stands by (another instance acts), 1 switched off, 2 watches, 3 backs off, 4 stopped itself. The sum over instances
# is 0: no instance acts. 4: more than half of a batch came back. `mutt dlq replays` tells which, `mutt dlq stats --by
# detail` why; when the cause is gone, set remediation_enabled to false and to true again.
REMEDIATION_STATE = _gauge("mutt_remediation_state", "What remediation is at, 0 standby to 4 stopped.")

# Rounds by how they ended. receiver or backlog for long: look at the forwarder; unavailable: at PostgreSQL and Kafka;
# rests: the last batch is not settled yet, or some of it came back; stopped: as above.
REMEDIATION_ROUNDS = _counter(
    "mutt_remediation_rounds_total", "Rounds of remediation, by how they ended.", ("outcome",)
)

# Letters that remediation sent again, and those of them that failed again when their batch was judged. Nearly equal:
# the cause is still there.
REMEDIATION_REPLAYED = _counter("mutt_remediation_letters_replayed_total", "Letters sent again.", ("reason",))
REMEDIATION_CAME_BACK = _counter("mutt_remediation_letters_came_back_total", "Letters that came back.", ("reason",))

# Parked letters put on mutt.dlq.parked. Any: look at `mutt dlq list --state parked`; they leave only by hand.
LETTERS_PARKED = _counter("mutt_dlq_parked_published_total", "Parked letters published.")

# Bound when the process starts: a series that is only there after its first count hides that count from a rate.
_ENDED = {timing: ALERTS_ON_TIME.labels("fail" if timing.value else "success", timing.value) for timing in Timing}
for _why in DeliveryReason:
    MOOG_REQUESTS.labels("fail" if _why.value else "success", _why.value)
    MOOG_ALERTS.labels("fail" if _why.value else "success", _why.value)
MOOG_ALERTS.labels("fail", "expired")
SNMP_TRAPS.labels("success", "")
SNMP_TRAPS.labels("fail", "broken")

_RETRIES = {service: STORE_RETRIES.labels(service) for service in ("postgresql", "kafka")}


def count_batch(
    counts: dict[Disposition, int], reasons: list[Reason], *, missing: int, alerts: int, meta_alerts: int
) -> None:
    """Adds one committed batch."""
    good = 0
    for name, number in counts.items():
        if number:
            _PROCESSED[name].inc(number)
            good += number if name in _GOOD else 0
    _SETTLED_WELL.inc(good)
    for reason in reasons:
        _SETTLED[reason].inc()
    if missing:
        OFFSETS_MISSING.inc(missing)
        _SETTLED_MISSING.inc(missing)
    _SHED.inc(counts[Disposition.SHED])
    ALERTS_COMMITTED.inc(alerts)
    META_ALERTS.inc(meta_alerts)


def count_end(timing: Timing) -> None:
    """Adds one alert that was delivered or given up."""
    _ENDED[timing].inc()


def count_retry(service: str) -> None:
    """Adds one repeated try; `service` is postgresql or kafka."""
    _RETRIES[service].inc()


class SecretMetrics:
    """What a process knows of its secrets; the API shows the same beside its own metrics."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        # Groups of secrets whose newest version is not in use, by why. Above zero: the last good ones are in use; see
        # the log line and `mutt secrets status`. down, slow, sealed: look at Vault; login, denied: at the AppRole and
        # its policy; refused: somebody stored half a secret.
        self.troubles = Gauge(
            "mutt_secrets_stale", "Groups of secrets of which the last good version is in use.", ("reason",),
            registry=registry,
        )  # fmt: skip
        # When all secrets were read last. Far behind now: a rotation would not be noticed.
        self.read = Gauge("mutt_secrets_read_timestamp_seconds", "When all secrets were read last.", registry=registry)
        for trouble in Trouble:
            self.troubles.labels(trouble)

    def register(self, registry: CollectorRegistry) -> None:
        for collector in (self.troubles, self.read):
            registry.register(collector)

    def looked(self, troubles: Iterable[str], now: float) -> None:
        counts = Counts(troubles)
        for trouble in Trouble:
            self.troubles.labels(trouble).set(counts[trouble])
        if not counts:
            self.read.set(now)


SECRETS = SecretMetrics(REGISTRY)
