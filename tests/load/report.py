"""The report of one scenario: its figures, and in words whatever is wrong with them."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.chaos.checker import Acked, anomalies
from tests.load import facts, verdict
from tests.load.facts import Facts, Post
from tests.load.scenarios import RATE, Scenario
from tests.load.watch import Seen
from tests.load.world import FLOOR, World

PART = 100
"""Alerts by which one worker may overshoot what it knows of the backlog: its last batch, which fits but for these."""
RSS_LIMIT_MIB = 250
BURST_LIMIT = 1.5
"""One second's worth is the bucket of one worker; the rest is what the clocks of two processes make of it."""
RATE_WINDOW_S = 5.0
"""With a full bucket such a window may hold a second's worth more than its length: 1.2 times the limit."""
SHOWN = 10
"""Problems of each kind that are told."""


def overshoot_cap(workers: int, pauses_at: int) -> int:
    """How far the backlog may rise above the threshold at which intake pauses, however many workers decide at once.

    Each goes a part beyond what it may. It may use its share of the room that its own count found, even where the
    others have used theirs and counted again since: at worst all room but its own share of it, once more.
    """
    return workers * PART + (workers - 1) * pauses_at // workers


async def report(
    world: World, scenario: Scenario, seen: Seen, acked: Acked, acted: tuple[float, float]
) -> dict[str, Any]:
    """`acted`: from when to when the scenario made trouble."""
    found = await facts.read(world.database.pool, world.posts())
    figures = _figures(world, seen, found, acted)
    places = [(*partition, offset) for partition, offsets in acked.items() for offset in offsets]
    lost = verdict.lost(places, found.audited, found.raised, found.posts)
    unordered = verdict.out_of_order(found.raised, found.posts)
    figures |= {"lost": len(lost), "out_of_order": len(unordered)}
    books = await anomalies(world.database.dsn, world.bootstrap, acked)
    problems = [
        *verdict.unmet(figures, scenario.at_least, scenario.at_most | _bounds(world, figures)),
        *verdict.shed_at_floor(found.shed, FLOOR),
        *lost[:SHOWN],
        *unordered[:SHOWN],
        *verdict.disagreements(found.raised, found.posts)[:SHOWN],
        *verdict.too_early(found.posts)[:SHOWN],
        *[f"{anomaly.detector}: {anomaly.where}: {anomaly.detail}" for anomaly in books[:SHOWN]],
        *world.ended,
    ]
    return figures | {"problems": problems}


def _bounds(world: World, figures: dict[str, Any]) -> dict[str, float]:
    """What holds in every scenario."""
    return {"rss_mib": RSS_LIMIT_MIB, "burst_over_limit": BURST_LIMIT, "overshoot": figures["overshoot_cap"]}


def _figures(world: World, seen: Seen, found: Facts, acted: tuple[float, float]) -> dict[str, Any]:
    limit, deepest = float(world.config["moog_rate_limit"]), verdict.backlog_max(found.raised)
    waits = verdict.latencies(found.raised, found.posts)
    defers = world.config["alerter_shed_mode"] == "defer"
    pauses_at = world.shed_max if defers else int(world.config["alerter_queue_hard_limit"])
    return {
        "backlog_max": deepest,
        "backlog_over_shed": round(deepest / world.shed_max, 2),
        "overshoot": max(0, deepest - pauses_at),
        "overshoot_cap": overshoot_cap(len(world.matchers), pauses_at),
        "paused_s": round(seen.paused_s, 1),
        "stood_s": round(seen.stood_s, 1),
        "pauses": seen.pauses,
        "breaker_s": round(seen.breaker_s, 1),
        "shed_share": {str(k): round(v, 3) for k, v in verdict.shed_share(found.shed, found.alerting).items()},
        "shed": sum(found.shed.values()),
        "alerts": len(found.raised),
        "rss_mib": round(seen.rss_mib),
        "rate_over_limit": round(verdict.busiest(found.posts, RATE_WINDOW_S) / limit, 2),
        "burst_over_limit": round(verdict.burst(found.posts, limit), 2),
        "receiver_share": round(_taken(found.posts, *acted) / (RATE / 2), 3),
        "decision_p50_s": round(verdict.quantile(found.decisions, 0.5), 3),
        "latency_p50_s": round(verdict.quantile(waits, 0.5), 2),
        "latency_p99_s": round(verdict.quantile(waits, 0.99), 2),
        "answers": dict(sorted(Counter(str(post.status) for post in found.posts).items())),
    }


def _taken(posts: list[Post] | Any, since: float, until: float) -> float:
    """Alerts a second that the receiver took in this time."""
    return sum(post.taken and since <= post.at < until for post in posts) / (until - since)
