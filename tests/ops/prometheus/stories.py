"""What may happen to a fleet, and what its pager then says; each alert has stories in which it fires and is silent."""

from __future__ import annotations

from tests.ops.prometheus.burning_stories import BURNING, BURNS, IN_TIME, LATE, PAGE, TICKET
from tests.ops.prometheus.fleet import (
    GONE,
    Story,
    answers,
    counter,
    flat,
    gauge,
    ingest,
    of,
    paused,
    posts,
    processed,
    settled,
    up,
)

MISSING = of("match", "mutt_ledger_offsets_missing_total")
SHED = of("match", "mutt_alerter_shed_events_total", mode="dlq")
BREAKER = of("forward", "mutt_circuit_breaker_state", name="moogsoft")
CLOCK = of("match", "mutt_clock_timestamp_seconds")
STARTED = of("match", "process_start_time_seconds")
EXPIRY = of("dead-letters", "mutt_api_keys_first_expiry_timestamp_seconds")
LAG = of("dead-letters", "mutt_ingest_lag_records")
LEVEL = of("match", "mutt_backlog_level")
TRIED = of("api", "mutt_api_auth_failures_total", reason="unknown")


def kept(metric: str) -> str:
    """A metric of retention, as a node exporter shows it."""
    return f'mutt_retention_{metric}{{job="node",instance="n1"}}'


ARCHIVES = f'{kept("archive_bytes")[:-1]},table="audit"}}'


def once(name: str, severity: str = TICKET) -> dict[tuple[str, str], int]:
    return {(name, severity): 1}


SILENT = (
    Story(name="nothing happens", objectives=True),
    Story(
        name="nothing happens at all: no traffic",
        objectives=True,
        series={
            name: flat(0)
            for name in (
                ingest(),
                processed("logged"),
                processed("unhandled"),
                posts(),
                settled(),
                IN_TIME,
                answers(),
                LAG,
            )
        },
    ),
    Story(
        name="a deploy: workers go one after the other, and new ones begin at 0",
        objectives=True,
        series={
            up("match", "m1"): gauge((1, 60), (0, 1), (1, 90)),
            up("match", "m2"): gauge((1, 62), (0, 1), (1, 88)),
            up("forward", "f1"): gauge((1, 61), (0, 1), (1, 89)),
            ingest(): counter((600, 60), (GONE, 1), (600, 90)),
            processed("logged"): counter((590, 60), (GONE, 1), (590, 90)),
            processed("unhandled"): counter((10, 60), (GONE, 1), (10, 90)),
            posts(): counter((60, 61), (GONE, 1), (60, 89)),
            STARTED: gauge((1, 60), (GONE, 1), (3600, 90)),
            of("match", "mutt_ruleset_version"): gauge((7, 60), (GONE, 1), (0, 1), (7, 89)),
            paused("locating"): gauge((0, 60), (GONE, 1), (24, 1), (0, 89)),
        },
        at=65,
    ),
    Story(
        name="one bad minute: every post and one event in ten fails",
        objectives=True,
        series={
            posts(): counter((60, 100), (0, 1), (60, 49)),
            posts("http"): counter((0, 100), (60, 1), (0, 49)),
            LATE: counter((0, 100), (60, 1), (0, 49)),
            IN_TIME: counter((60, 100), (0, 1), (60, 49)),
            ingest(): counter((600, 100), (540, 1), (600, 49)),
            ingest("internal_error"): flat(0),
            ingest("shed"): counter((0, 100), (60, 1), (0, 49)),
            answers(): counter((60, 100), (57, 1), (60, 49)),
            answers("unavailable"): counter((0, 100), (3, 1), (0, 49)),
        },
        at=105,
    ),
    Story(
        name="four of five requests fail in a quiet night: too few for a page",
        objectives=True,
        series={
            answers(): counter((0, 100), (1, 1), (0, 49)),
            answers("unavailable"): counter((0, 100), (4, 1), (0, 49)),
        },
        at=105,
        fires={(BURNS, TICKET): 2},
    ),
    Story(name="a minute without PostgreSQL", series={paused("sink"): gauge((0, 100), (24, 1), (0, 49))}, at=101),
    Story(name="a short backlog", series={LEVEL: gauge((0, 100), (2, 5), (0, 45))}, at=104),
    Story(name="intake paused for a moment", series={paused("backlog"): gauge((0, 100), (8, 5), (0, 45))}, at=104),
    Story(
        name="somebody pauses intake for half an hour",
        series={paused("operator"): gauge((0, 100), (24, 30), (0, 20))},
        at=129,
    ),
    Story(
        name="intake is paused by hand: nothing moves, and that is right",
        series={
            paused("operator"): gauge((0, 100), (24, 50)),
            processed("logged"): counter((590, 100), (0, 50)),
            processed("unhandled"): counter((10, 100), (0, 50)),
            LAG: gauge((3, 100), (5000, 50)),
        },
        at=140,
    ),
    Story(
        name="the backlog holds intake: another page says so",
        series={
            paused("backlog"): gauge((0, 100), (24, 50)),
            processed("logged"): counter((590, 100), (0, 50)),
            processed("unhandled"): counter((10, 100), (0, 50)),
            LAG: gauge((3, 100), (5000, 50)),
        },
        at=140,
        fires=once("MuttIntakePaused", PAGE),
    ),
    Story(name="the breaker opens and closes again", series={BREAKER: gauge((0, 100), (2, 2), (0, 48))}, at=102),
    Story(
        name="the ledger between two looks",
        series={of("dead-letters", "mutt_ledger_faults"): gauge((0, 100), (1, 1), (0, 49))},
        at=100,
    ),
    Story(name="fifty letters", series={processed("rejected"): counter((0, 100), (50, 1), (0, 49))}, at=140),
    Story(
        name="half an hour of strange events",
        series={processed("unhandled"): counter((10, 100), (5000, 10), (10, 40))},
        at=130,
    ),
    Story(
        name="few events, none known", series={processed("unhandled"): counter((5, 150)), processed("logged"): flat(0)}
    ),
    Story(
        name="workers learn of a rule one after the other",
        series={of("match", "mutt_ruleset_version"): gauge((7, 100), (8, 50))},
        at=102,
    ),
    Story(name="a client has an old key", series={TRIED: counter((0, 100), (2, 10), (0, 40))}, at=112),
    Story(name="no key ever ends", series={EXPIRY: flat(0)}),
    Story(
        name="all secrets are at their newest",
        series={of("forward", "mutt_secrets_stale", reason="sealed"): flat(0)},
    ),
    Story(
        name="retention ran this morning",
        series={
            kept("last_success_timestamp_seconds"): flat(-6 * 3600),
            kept("failing"): flat(0),
            kept("partitions_ahead"): flat(4),
            kept("default_partition_rows"): flat(0),
            kept("archive_free_bytes"): flat(5000),
            ARCHIVES: counter((10, 120)),
        },
    ),
    Story(name="a clock is a second late", series={CLOCK: "-1+60x150"}),
    Story(name="remediation rests and backs off", series={of("dead-letters", "mutt_remediation_state"): flat(3)}),
)

FIRING = (
    Story(
        name="all match workers are away",
        series={up("match", "m1"): gauge((1, 100), (0, 50)), up("match", "m2"): gauge((1, 100), (0, 50))},
        at=104,
        fires=once("MuttNoWorker", PAGE),
    ),
    Story(
        name="nobody knows of a forwarder",
        series={up("forward", "f1"): gauge((1, 100), (GONE, 50))},
        at=110,
        fires=once("MuttNoWorker", PAGE),
    ),
    Story(
        name="one of two is away",
        series={up("match", "m2"): gauge((1, 100), (0, 50))},
        at=115,
        fires=once("MuttWorkerDown"),
    ),
    Story(
        name="a worker ends again and again",
        series={STARTED: " ".join(str(60 * (minute // 5)) for minute in range(150))},
        at=120,
        fires=once("MuttWorkerRestarts"),
    ),
    Story(
        name="a partition halts",
        series={paused("halted"): gauge((0, 100), (1, 50))},
        at=102,
        fires=once("MuttPartitionHalted", PAGE),
    ),
    Story(
        name="records wait and nothing is decided",
        series={
            LAG: gauge((3, 100), (9000, 50)),
            processed("logged"): counter((590, 100), (0, 50)),
            processed("unhandled"): counter((10, 100), (0, 50)),
        },
        at=112,
        fires=once("MuttNoProgress", PAGE),
    ),
    Story(
        name="PostgreSQL is away",
        series={paused("sink"): gauge((0, 100), (24, 50))},
        at=106,
        fires=once("MuttStoreAway", PAGE),
    ),
    Story(
        name="intake stands still",
        series={paused("backlog"): gauge((0, 100), (8, 50))},
        at=112,
        fires=once("MuttIntakePaused", PAGE),
    ),
    Story(
        name="the receiver is down",
        series={BREAKER: gauge((0, 100), (2, 4), (1, 1), (2, 45))},
        at=108,
        fires=once("MuttBreakerOpen", PAGE),
    ),
    Story(
        name="records were gone",
        objectives=True,
        series={MISSING: counter((0, 100), (1, 1), (0, 49))},
        at=105,
        # One of 60,000 is a sixth of that hour's budget, and too little for the burn rates.
        fires=once("MuttOffsetsMissing", PAGE),
    ),
    Story(
        name="the ledger has a hole",
        series={of("dead-letters", "mutt_ledger_faults"): gauge((0, 100), (1, 50))},
        at=104,
        fires=once("MuttLedgerImbalance", PAGE),
    ),
    Story(name="the backlog stays", series={LEVEL: gauge((0, 100), (1, 50))}, at=118, fires=once("MuttBacklogRises")),
    Story(name="events are shed", series={SHED: counter((0, 100), (2, 50))}, at=110, fires=once("MuttEventsShed")),
    Story(
        name="intake is forgotten",
        series={paused("operator"): gauge((0, 60), (24, 90))},
        at=125,
        fires=once("MuttIntakePausedByHand"),
    ),
    Story(
        name="a sender breaks",
        series={processed("rejected"): counter((0, 100), (5, 50))},
        at=149,
        fires=once("MuttDeadLettersGrow"),
    ),
    Story(
        name="the receiver refuses",
        series={settled("http"): counter((0, 100), (5, 50))},
        at=149,
        fires=once("MuttDeadLettersGrow"),
    ),
    Story(
        name="a defect",
        series={ingest("internal_error"): counter((0, 100), (1, 1), (0, 49))},
        at=105,
        fires=once("MuttDefect"),
    ),
    Story(
        name="remediation stops",
        series={of("dead-letters", "mutt_remediation_state"): gauge((2, 100), (4, 50))},
        at=106,
        fires=once("MuttRemediationStopped"),
    ),
    Story(
        name="rules are lost",
        series={
            processed("logged"): counter((590, 20), (0, 130)),
            processed("unhandled"): counter((10, 20), (600, 130)),
        },
        fires=once("MuttUnhandledShare"),
    ),
    Story(
        name="a worker stays behind",
        series={of("match", "mutt_ruleset_version"): gauge((7, 100), (8, 50))},
        at=107,
        fires=once("MuttRuleSetsDiffer"),
    ),
    Story(name="somebody tries keys", series={TRIED: counter((0, 100), (20, 50))}, at=110, fires=once("MuttKeysTried")),
    Story(name="a key ends in 13 days", series={EXPIRY: flat(13 * 86400)}, fires=once("MuttKeyExpires")),
    Story(
        name="the store of secrets is sealed",
        series={of("forward", "mutt_secrets_stale", reason="sealed"): flat(2)},
        fires=once("MuttSecretsStale"),
    ),
    Story(
        name="retention stands still for three days",
        series={kept("last_success_timestamp_seconds"): flat(-3 * 86400)},
        fires=once("MuttRetentionStale"),
    ),
    Story(name="retention fails", series={kept("failing"): flat(1)}, fires=once("MuttRetentionFailing")),
    Story(name="a month ahead", series={kept("partitions_ahead"): flat(1)}, fires=once("MuttPartitionsAheadMissing")),
    Story(
        name="a broker's clock is years off",
        series={kept("default_partition_rows"): flat(7)},
        fires=once("MuttStrayRows"),
    ),
    Story(
        name="archives grow as no disk does",
        series={kept("archive_free_bytes"): flat(50), ARCHIVES: counter((0, 100), (10, 20))},
        fires=once("MuttArchiveDiskFills"),
    ),
    Story(name="a clock is late", series={CLOCK: "-9+60x150"}, fires=once("MuttClockSkew")),
    Story(
        name="Prometheus finds nothing",
        series={up("api", "a1"): flat(1)},
        alone=True,
        fires={("MuttNoWorker", PAGE): 2},
    ),
)

STORIES = (*SILENT, *BURNING, *FIRING)
