"""Judges a scenario that has come to rest, by tables, topics and the log of the receiver: books, deliveries, order."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from tests.integration.checker import Acked, anomalies
from tests.load.world import World


async def problems(world: World, acked: Acked) -> list[str]:
    """Everything that is wrong, in words; empty when the books balance."""
    found = [
        f"{a.detector}: {a.where}: {a.detail}" for a in await anomalies(world.database.dsn, world.bootstrap, acked)
    ]
    return found + await _deliveries(world) + await out_of_order(world)


async def _deliveries(world: World) -> list[str]:
    """Alerts committed = distinct ids the receiver took + dead ones."""
    rows = await world.database.pool.fetch("SELECT id, state FROM alerts")
    delivered = {str(row["id"]) for row in rows if row["state"] == "delivered"}
    pending = sum(row["state"] == "pending" for row in rows)
    taken = {post["id"] for post in world.posts() if post["status"] < 300}
    found = [f"alert {alert} is delivered by the table, the receiver never took it" for alert in delivered - taken]
    found += [f"alert {alert} was taken by the receiver, its row does not say so" for alert in taken - delivered]
    return found + ([f"{pending} alerts still wait"] if pending else [])


async def out_of_order(world: World) -> list[str]:
    """First deliveries of a host that came before one of a lower offset (I4)."""
    rows = await world.database.pool.fetch('SELECT id, hostname, topic, partition, "offset" FROM alerts')
    places = {str(row["id"]): (tuple(row)[1:4], row["offset"]) for row in rows}
    last: dict[Any, int] = defaultdict(lambda: -1)
    found, seen = [], set()
    for post in world.posts():
        if post["status"] >= 300 or post["id"] in seen or post["id"] not in places:
            continue
        seen.add(post["id"])
        host, offset = places[post["id"]]
        if offset < last[host]:
            found.append(f"order: {host}: offset {offset} was delivered after {last[host]}")
        last[host] = max(last[host], offset)
    return found


async def shed_by_severity(world: World) -> dict[str, int]:
    rows = await world.database.pool.fetch(
        "SELECT syslog_severity AS severity, count(*) AS n FROM audit WHERE disposition = 'shed' GROUP BY 1 ORDER BY 1"
    )
    return {str(row["severity"]): row["n"] for row in rows}


async def alerting_share_shed(world: World) -> float:
    """Shed events over events that would have raised an alert."""
    counts = await world.database.pool.fetchrow(
        "SELECT sum(shed)::int AS shed, sum(alerted)::int AS alerted FROM ledger"
    )
    return float(round(counts["shed"] / max(1, counts["shed"] + counts["alerted"]), 3))


def excess_over_limit(world: World, limit: float) -> float:
    """The most posts beyond `limit` a second in any span of time, as a share of one second's worth: the burst used."""
    excess = worst = 0.0
    last = None
    for at in sorted(post["at"] for post in world.posts()):
        excess = max(0.0, excess - limit * (at - last)) + 1 if last is not None else 1.0
        last = at
        worst = max(worst, excess)
    return round(worst / limit, 3)


def answers(world: World) -> dict[str, int]:
    return dict(sorted(Counter(str(post["status"]) for post in world.posts()).items()))
