"""Alerts beside the burn rates: what is wrong inside mutt, each with what to do and its section of docs/RUNBOOK.md.

A page is for now, a ticket for the working day. `waits` is how long it must be so without a break: long enough for a
deploy, a rebalance and one missed scrape.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Severity(StrEnum):
    PAGE = "page"
    TICKET = "ticket"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alerting rule. `summary` and `action` may use Prometheus' templates."""

    name: str
    expr: str
    severity: Severity
    summary: str
    action: str
    """What to do first."""
    anchor: str
    """Of its section in the runbook."""
    waits: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


_ROLES = "match|forward|dead-letters|api"
_DECIDED = "mutt_alerter_events_processed_total"
_OURS = 'job=~"mutt-.+"'

ALERTS: tuple[Alert, ...] = (
    # -- what pages ---------------------------------------------------------------------------------------------
    Alert(
        name="MuttNoWorker",
        expr=f'sum by (job) (up{{job=~"mutt-({_ROLES})"}}) == 0'
        ' or absent(up{job="mutt-match"}) or absent(up{job="mutt-forward"})',
        waits="2m",
        severity=Severity.PAGE,
        summary="no process of {{ $labels.job }} answers",
        action="Start it, or find out why it ends. Events wait in Kafka meanwhile: mind its retention.",
        anchor="a-worker-is-away",
    ),
    Alert(
        name="MuttPartitionHalted",
        expr='sum(mutt_partitions_paused{reason="halted"}) > 0',
        waits="1m",
        severity=Severity.PAGE,
        summary="{{ $value }} partitions are halted until somebody acts",
        action="mutt ledger show names them and why. Find the cause before mutt ledger reset.",
        anchor="a-partition-is-halted",
    ),
    Alert(
        name="MuttNoProgress",
        expr=f"max(mutt_ingest_lag_records) > 0 and sum(rate({_DECIDED}[5m])) == 0"
        ' unless sum(mutt_partitions_paused{reason=~"operator|halted|backlog"}) > 0',
        waits="5m",
        severity=Severity.PAGE,
        summary="{{ $value }} records wait and none is decided",
        action="mutt pauses says what stands still; then the log of a match worker.",
        anchor="nothing-moves",
    ),
    Alert(
        name="MuttStoreAway",
        expr='sum(mutt_partitions_paused{reason="sink"}) > 0',
        waits="5m",
        severity=Severity.PAGE,
        summary="{{ $value }} partitions wait for PostgreSQL or Kafka",
        action="Look at PostgreSQL and Kafka; mutt goes on by itself.",
        anchor="postgresql-or-kafka-is-away",
    ),
    Alert(
        name="MuttIntakePaused",
        expr='sum(mutt_partitions_paused{reason="backlog"}) > 0',
        waits="10m",
        severity=Severity.PAGE,
        summary="intake stands still for the backlog of alerts: {{ $value }} partitions",
        action="mutt pauses: the receiver is down, or too slow for what arrives.",
        anchor="the-backlog-rises",
    ),
    Alert(
        name="MuttBreakerOpen",
        expr='max by (name) (max_over_time(mutt_circuit_breaker_state{job="mutt-forward"}[2m])) == 2',
        waits="5m",
        severity=Severity.PAGE,
        summary="the receiver {{ $labels.name }} is down; alerts wait",
        action="Call the receiver's owner. Nothing is lost, and nothing is to be done in mutt.",
        anchor="the-receiver-is-down",
    ),
    Alert(
        name="MuttOffsetsMissing",
        expr="sum(increase(mutt_ledger_offsets_missing_total[1h])) > 0",
        severity=Severity.PAGE,
        summary="records were gone from the log before mutt read them",
        action="Lengthen the retention of the topic at once, then look at what held mutt back.",
        anchor="records-were-gone-before-they-were-read",
    ),
    Alert(
        name="MuttLedgerImbalance",
        expr="max(mutt_ledger_faults) > 0",
        waits="2m",
        severity=Severity.PAGE,
        summary="the ledger does not add up in {{ $value }} places",
        action="mutt ledger verify names the ranges. Keep the tables as they are.",
        anchor="the-books-do-not-balance",
    ),
    # -- what waits for the working day -------------------------------------------------------------------------
    Alert(
        name="MuttWorkerDown",
        expr=f"up{{{_OURS}}} == 0",
        waits="10m",
        severity=Severity.TICKET,
        summary="{{ $labels.job }} at {{ $labels.instance }} does not answer",
        action="Others do its work. Look at its log and at the machine.",
        anchor="a-worker-is-away",
    ),
    Alert(
        name="MuttWorkerRestarts",
        expr=f"changes(process_start_time_seconds{{{_OURS}}}[30m]) > 3",
        severity=Severity.TICKET,
        summary="{{ $labels.job }} at {{ $labels.instance }} was started {{ $value }} times in half an hour",
        action="Look for `stands still` in its log, and for why it ended.",
        anchor="the-watchdog-ended-a-worker",
    ),
    Alert(
        name="MuttBacklogRises",
        expr="max(mutt_backlog_level) > 0",
        waits="15m",
        severity=Severity.TICKET,
        summary="more alerts wait for the receiver than alerter_queue_warn_threshold",
        action="mutt pauses. Where mutt_moog_rate_limit_hits_total rises too, the rate limit is too low.",
        anchor="the-backlog-rises",
    ),
    Alert(
        name="MuttEventsShed",
        expr="sum(increase(mutt_alerter_shed_events_total[10m])) > 0",
        waits="5m",
        severity=Severity.TICKET,
        summary="events that should alert become dead letters of reason shed",
        action="mutt dlq stats --reason shed --by rule names the storm; remediation sends them later.",
        anchor="the-backlog-rises",
    ),
    Alert(
        name="MuttIntakePausedByHand",
        expr='sum(mutt_partitions_paused{reason="operator"}) > 0',
        waits="1h",
        severity=Severity.TICKET,
        summary="somebody has paused intake for an hour",
        action="mutt pauses says who and why; mutt resume. Mind the retention of the topics.",
        anchor="the-backlog-rises",
    ),
    Alert(
        name="MuttDeadLettersGrow",
        expr=f'sum(increase({_DECIDED}{{reason="rejected"}}[1h]))'
        ' + sum(increase(mutt_moog_alerts_processed_total{status="fail"}[1h])) > 100',
        waits="10m",
        severity=Severity.TICKET,
        summary="{{ $value | humanize }} dead letters in an hour",
        action="mutt dlq stats --by reason, then --by host.",
        anchor="dead-letters",
    ),
    Alert(
        name="MuttDefect",
        expr='sum(increase(mutt_ingest_requests_total{reason=~"internal_error|database_value"}[15m])) > 0',
        severity=Severity.TICKET,
        summary="mutt's own code failed on records; they are dead letters",
        action="mutt dlq stats --reason internal_error --by detail names the defect; report it.",
        anchor="a-partition-is-halted",
    ),
    Alert(
        name="MuttRemediationStopped",
        expr="max(mutt_remediation_state) == 4",
        waits="5m",
        severity=Severity.TICKET,
        summary="remediation stopped itself: what it sends comes back",
        action="mutt dlq replays tells which; mend the cause, then switch it off and on.",
        anchor="remediation-stopped-itself",
    ),
    Alert(
        name="MuttUnhandledShare",
        expr=f'sum(increase({_DECIDED}{{reason="unhandled"}}[1h])) / sum(increase({_DECIDED}[1h])) > 0.5'
        f" and sum(increase({_DECIDED}[1h])) > 1000",
        waits="1h",
        severity=Severity.TICKET,
        summary="no rule matches {{ $value | humanizePercentage }} of the events",
        action="Rules are missing, or were lost with a change: see what changed, and the meta-alerts.",
        anchor="most-events-match-no-rule",
    ),
    Alert(
        name="MuttRuleSetsDiffer",
        expr='max(mutt_ruleset_version{job="mutt-match"}) != min(mutt_ruleset_version{job="mutt-match"})',
        waits="5m",
        severity=Severity.TICKET,
        summary="match workers judge by different rule sets",
        action="Restart the one that stays behind; its log says why it cannot read the rules.",
        anchor="match-workers-judge-by-different-rules",
    ),
    Alert(
        name="MuttKeysTried",
        expr='sum(increase(mutt_api_auth_failures_total{reason=~"unknown|wrong"}[15m])) > 50',
        severity=Severity.TICKET,
        summary="somebody tries API keys",
        action="mutt keys failures names the addresses.",
        anchor="somebody-tries-keys",
    ),
    Alert(
        name="MuttKeyExpires",
        expr="max(mutt_api_keys_first_expiry_timestamp_seconds) > 0"
        " and max(mutt_api_keys_first_expiry_timestamp_seconds) - time() < 14 * 86400",
        severity=Severity.TICKET,
        summary="the last key of a client of the API expires in less than 14 days",
        action="mutt keys list shows which; mutt keys rotate, and tell its owner.",
        anchor="a-key-is-about-to-expire",
    ),
    Alert(
        name="MuttSecretsStale",
        expr=f"sum by (job, reason) (mutt_secrets_stale{{{_OURS}}}) > 0",
        waits="10m",
        severity=Severity.TICKET,
        summary="{{ $labels.job }} works with older secrets: {{ $labels.reason }}",
        action="mutt secrets status. Everything goes on with the last good ones; a fresh start would fail.",
        anchor="secrets-cannot-be-read",
    ),
    Alert(
        name="MuttRetentionStale",
        expr="time() - max(mutt_retention_last_success_timestamp_seconds) > 2 * 86400",
        severity=Severity.TICKET,
        summary="nothing was archived or deleted for {{ $value | humanizeDuration }}",
        action="mutt retention status tells what came of the last run; then the timer that should start it.",
        anchor="retention-does-not-run",
    ),
    Alert(
        name="MuttRetentionFailing",
        expr="max(mutt_retention_failing) > 0",
        waits="15m",
        severity=Severity.TICKET,
        summary="the last run of retention had problems",
        action="mutt retention status names them. What was not archived was not deleted.",
        anchor="retention-does-not-run",
    ),
    Alert(
        name="MuttPartitionsAheadMissing",
        expr="min(mutt_retention_partitions_ahead) < 3",
        severity=Severity.TICKET,
        summary="the audit has partitions for {{ $value }} months ahead alone",
        action="mutt retention run makes them.",
        anchor="retention-does-not-run",
    ),
    Alert(
        name="MuttStrayRows",
        expr="max(mutt_retention_default_partition_rows) > 0",
        severity=Severity.TICKET,
        summary="{{ $value }} rows of the audit lie in the default partition, which is never archived",
        action="Look at the brokers' clocks: their time is what puts a row into a month.",
        anchor="retention-does-not-run",
    ),
    Alert(
        name="MuttArchiveDiskFills",
        expr="min(mutt_retention_archive_free_bytes) < sum(max by (table) (delta(mutt_retention_archive_bytes[30d])))",
        severity=Severity.TICKET,
        summary="archives have {{ $value | humanize1024 }}B left, less than they grew by in 30 days",
        action="A bigger disk for MUTT_ARCHIVE_DIR, or fewer years (event_archive_retention_years).",
        anchor="retention-does-not-run",
    ),
    Alert(
        name="MuttClockSkew",
        expr=f"abs(mutt_clock_timestamp_seconds{{{_OURS}}} - timestamp(mutt_clock_timestamp_seconds{{{_OURS}}})) > 5",
        waits="5m",
        severity=Severity.TICKET,
        summary="the clock of {{ $labels.instance }} is {{ $value | humanizeDuration }} off",
        action="Mend the time service there, or on the machine of Prometheus if all are off.",
        anchor="a-clock-is-wrong",
    ),
)
