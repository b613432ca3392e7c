"""The parts of the bench, one line each: what `--only` names, and which goals each fills."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.bench import delivery, engines, fleet, inputs, latency, memory, outage, reload, scale, start
from tests.bench.arena import Arena
from tests.bench.report import Figures
from tests.bench.sizes import Sizes


@dataclass(frozen=True, slots=True)
class Part:
    """One part on real servers."""

    name: str
    measure: Callable[[Arena, Sizes], Awaitable[Figures]]
    keys: tuple[str, ...]
    quick: bool = False
    """Also part of `--quick`."""
    whole: bool = True
    """Part of the bench without `--only`."""


PARTS: tuple[Part, ...] = (
    Part("engines", engines.measure, (
        "over_afternoon", "cpu_over_afternoon", "audited_over_copy", "default_over_audited", "over_stock_take",
        "over_stock_async_for", "over_afternoon_linear", "over_peers", "price_of_safety", "first_commit_s",
    ), quick=True),
    Part("workers", fleet.workers, ("cpu_2_workers", "cpu_4_workers"), quick=True),
    Part("rules", fleet.rules, ("cpu_10k_rules",), quick=True),
    Part("reload", reload.measure, ("reload_stall_ms", "reload_live_s", "reload_live_s_10k")),
    Part("latency", latency.measure, ("latency_p99_ms_1k", "latency_p99_ms_5k", "latency_over_afternoon")),
    Part("delivery", delivery.measure, ("delivery_p99_ms", "forward_per_s", "forward_cpu_us")),
    Part("memory", memory.measure, ("rss_mib_lag", "rss_mib_idle")),
    Part("outage", outage.measure, ("catch_up",)),
    Part("inputs", inputs.measure, ("raw_extra_us", "rejected_over_valid", "replay_per_s")),
    Part("start", start.measure, ("help_over_typer_ms",), quick=True),
    Part("scale", scale.measure, (), whole=False),
)  # fmt: skip


def chosen(name: str | None, *, quick: bool) -> tuple[Part, ...]:
    """The parts that run: all, the quick ones, or the one of this name or with this figure."""
    if name is None:
        return tuple(part for part in PARTS if (part.quick if quick else part.whole))
    return tuple(part for part in PARTS if name == part.name or name in part.keys)


NAMES = tuple(dict.fromkeys(name for part in PARTS for name in (part.name, *part.keys)))
