"""Judges a scenario by what it left behind: deliveries, order, rate, shedding, backlog. Pure, and no product code."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from tests.load.facts import Place, Post, Raised


def lost(
    acked: Iterable[Place], audited: frozenset[Place], raised: Sequence[Raised], posts: Sequence[Post]
) -> list[str]:
    """Events without an audit row, and alerts that nobody took."""
    taken = {post.id for post in posts if post.taken}
    events = [f"lost: {place} was acknowledged to the producer, it has no audit row" for place in set(acked) - audited]
    alerts = [f"lost: alert {alert.id} of {alert.host} never came" for alert in raised if alert.id not in taken]
    return events + alerts


def disagreements(raised: Sequence[Raised], posts: Sequence[Post]) -> list[str]:
    """Where the state of an alert and what the receiver took are not the same."""
    taken = {post.id for post in posts if post.taken}
    delivered = {alert.id for alert in raised if alert.state == "delivered"}
    return [f"alert {alert} is delivered by its row, the receiver never took it" for alert in delivered - taken] + [
        f"alert {alert} was taken by the receiver, its row does not say so" for alert in taken - delivered
    ]


def out_of_order(raised: Sequence[Raised], posts: Sequence[Post]) -> list[str]:
    """First deliveries that came after one of the same host with a higher offset (I4)."""
    alerts = {alert.id: alert for alert in raised}
    highest: dict[Any, int] = defaultdict(lambda: -1)
    found, seen = [], set()
    for post in posts:
        alert = alerts.get(post.id)
        if alert is None or not post.taken or post.id in seen:
            continue
        seen.add(post.id)
        offset = alert.place[2]
        if offset < highest[alert.line]:
            found.append(f"order: {alert.line}: offset {offset} was delivered after {highest[alert.line]}")
        highest[alert.line] = max(highest[alert.line], offset)
    return found


def too_early(posts: Sequence[Post]) -> list[str]:
    """Posts of an alert before the `Retry-After` of its last answer was over."""
    by_alert: dict[str, list[Post]] = defaultdict(list)
    for post in posts:
        by_alert[post.id].append(post)
    return [
        f"alert {alert} was posted again after {after.came - before.at:.1f} s, Retry-After said {before.retry_after}"
        for alert, of_alert in by_alert.items()
        for before, after in pairwise(of_alert)
        if before.retry_after is not None and not before.taken and after.came < before.at + before.retry_after
    ]


def burst(posts: Sequence[Post], limit: float) -> float:
    """The most posts beyond `limit` a second in any span of time, in seconds' worth of the limit."""
    excess = worst = 0.0
    last = None
    for came in sorted(post.came for post in posts):
        excess = 1.0 + (0.0 if last is None else max(0.0, excess - limit * (came - last)))
        last = came
        worst = max(worst, excess)
    return worst / limit


def busiest(posts: Sequence[Post], window_s: float) -> float:
    """Posts a second in the busiest span of this length."""
    came = sorted(post.came for post in posts)
    most = first = 0
    for last, at in enumerate(came):
        while came[first] <= at - window_s:
            first += 1
        most = max(most, last - first + 1)
    return most / window_s


def shed_share(shed: Mapping[int, int], alerting: Mapping[int, int]) -> dict[int, float]:
    """By severity: events shed over those that raised an alert or would have."""
    return {severity: shed.get(severity, 0) / count for severity, count in alerting.items()}


def shed_at_floor(shed: Mapping[int, int], floor: int) -> list[str]:
    """A smaller number is more severe."""
    return [f"shed: {n} events of severity {at}, the floor is {floor}" for at, n in shed.items() if at <= floor]


def backlog_max(raised: Sequence[Raised]) -> int:
    """The most alerts that were committed and not settled at any moment."""
    moves = [(alert.committed, 1) for alert in raised]
    moves += [(alert.settled, -1) for alert in raised if alert.settled is not None]
    depth = deepest = 0
    for _, move in sorted(moves):
        depth += move
        deepest = max(deepest, depth)
    return deepest


def latencies(raised: Sequence[Raised], posts: Sequence[Post]) -> list[float]:
    """Seconds from an alert's commit until the receiver took it, in order."""
    taken: dict[str, float] = {}
    for post in posts:
        if post.taken:
            taken.setdefault(post.id, post.at)
    return sorted(taken[alert.id] - alert.committed for alert in raised if alert.id in taken)


def quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def unmet(figures: Mapping[str, Any], at_least: Mapping[str, float], at_most: Mapping[str, float]) -> list[str]:
    """Figures that are not what they must be; a name may lead into an inner mapping by a dot."""

    def value(name: str) -> float:
        outer, _, inner = name.partition(".")
        found = figures[outer].get(inner, 0) if inner else figures[outer]
        return float(found)

    low = [f"{name} is {value(name):g}, less than {bound:g}" for name, bound in at_least.items() if value(name) < bound]
    high = [f"{name} is {value(name):g}, more than {bound:g}" for name, bound in at_most.items() if value(name) > bound]
    return low + high
