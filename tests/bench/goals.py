"""Every figure that has a goal, what it means, and when the goal is reached: the table of docs/PERFORMANCE.md."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Goal:
    """One figure: at least `bound`, or at most where `at_most`."""

    key: str
    bound: float
    meaning: str
    at_most: bool = False

    def reached(self, value: float) -> bool:
        return value <= self.bound if self.at_most else value >= self.bound

    @property
    def shown(self) -> str:
        return f"{'≤' if self.at_most else '≥'} {self.bound:g}"


def _least(key: str, bound: float, meaning: str) -> Goal:
    return Goal(key, bound, meaning)


def _most(key: str, bound: float, meaning: str) -> Goal:
    return Goal(key, bound, meaning, at_most=True)


GOALS: tuple[Goal, ...] = (
    _least("over_afternoon", 1.5, "every event audited, one worker: events/s over the afternoon's loop"),
    _most("cpu_over_afternoon", 0.55, "CPU of the worker an event over that of the afternoon's loop"),
    _least("audited_over_copy", 0.7, "events/s, every event audited, over rows/s of a raw COPY on one connection"),
    _least("default_over_audited", 1.2, "default (matched events audited) over every event audited, events/s"),
    _least("over_stock_take", 14, "over stock Faust with our matcher: take(1000) and executemany"),
    _least("over_stock_async_for", 45, "over stock Faust with our matcher: async for and an insert each"),
    _least("over_afternoon_linear", 25, "over the afternoon's loop with a plain linear matcher"),
    _least("over_peers", 2, "over the best of bytewax, quixstreams and arroyo, given our matcher and a safe COPY"),
    _most("cpu_2_workers", 1.15, "CPU an event with two workers over one worker's"),
    _most("cpu_4_workers", 1.15, "CPU an event with four workers over one worker's"),
    _most("cpu_10k_rules", 1.2, "CPU an event with 10,000 rules, half of them regex, over 100 rules"),
    _most("reload_stall_ms", 50, "rules changed under load: how much longer a lane stands still than it does anyway"),
    _most("reload_live_s", 1, "1,000 rules: from the change's commit until every worker has it in force"),
    _most("reload_live_s_10k", 30, "10,000 rules: the same"),
    _most("latency_p99_ms_1k", 60, "source record to alert record at 1,000 events/s, p99"),
    _most("latency_p99_ms_5k", 80, "the same at 5,000 events/s"),
    _most("latency_over_afternoon", 0.5, "p99 at 5,000 events/s over the afternoon's loop"),
    _most("delivery_p99_ms", 120, "source record to the receiver's 200 at 1,000 events/s with 10 % alerts, p99"),
    _least("forward_per_s", 2000, "alerts a second from the forwarder to a receiver on the same machine"),
    _most("forward_cpu_us", 200, "CPU of the forwarder an alert, microseconds"),
    _most("rss_mib_lag", 250, "memory of a worker with 1,000,000 records of lag and 10,000 rules, MiB"),
    _most("rss_mib_idle", 130, "memory of a worker without lag, 1,000 rules, MiB"),
    _least("catch_up", 0.95, "rate after an outage of PostgreSQL over the steady rate before it"),
    _most("first_commit_s", 6, "start of a worker to its first committed batch, 1,000 rules"),
    _least("price_of_safety", 0.7, "all guarantees over a variant without ledger, outbox and compare-and-set"),
    _most("raw_extra_us", 6, "extra CPU an event where mutt parses raw lines (RFC 5424 and 3164), microseconds"),
    _least("rejected_over_valid", 0.5, "100 % rejected input over all-valid input, events/s"),
    _least("replay_per_s", 5000, "dead letters a second of `mutt dlq replay`"),
    _most("help_over_typer_ms", 150, "`mutt --help` over the help of a bare Typer application, milliseconds of CPU"),
)  # fmt: skip
"""In the order of the table."""

BY_KEY = {goal.key: goal for goal in GOALS}
