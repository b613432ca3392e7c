"""mutt beside everybody else: the raw COPY, the afternoon's loop, stock Faust, peers; interleaved, round by round."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from tests.bench.arena import Arena
from tests.bench.race import PROGRESS, ROWS, Race
from tests.bench.report import Figures, Round, medians, say
from tests.bench.rivals.environments import NotInstalled, interpreter
from tests.bench.runs import EVERY_EVENT, Run, copied_rows, mutt, raw_copy, rival, unsafe
from tests.bench.sizes import Sizes


@dataclass(frozen=True, slots=True)
class Rival:
    """Who runs beside mutt: what it does of the workload, so that nobody takes minutes."""

    key: str
    module: str
    share: float
    probe: str
    arguments: tuple[str, ...] = ()
    peer: str | None = None
    """The peer whose environment it needs."""
    least: int = 8_000
    """Events in a quick look: enough that some are left to time after the first batches."""


RIVALS: tuple[Rival, ...] = (
    Rival("afternoon", "afternoon", 1, PROGRESS),
    Rival("stock_take", "stock_faust", 0.1, ROWS, ("take",)),
    Rival("stock_async_for", "stock_faust", 0.03, ROWS, ("async_for",), least=3_000),
    Rival("afternoon_linear", "afternoon", 0.06, PROGRESS, ("linear",), least=12_000),
    Rival("bytewax", "peer_bytewax", 1, PROGRESS, peer="bytewax"),
    Rival("quixstreams", "peer_quixstreams", 0.15, PROGRESS, peer="quixstreams"),
    Rival("arroyo", "peer_arroyo", 1, PROGRESS, peer="arroyo"),
)
PEERS = tuple(one.key for one in RIVALS if one.peer)


async def measure(arena: Arena, sizes: Sizes) -> Figures:
    """The figures of all rounds; a peer that cannot be had is named, with why."""
    pythons, absent = await asyncio.to_thread(_environments)
    arena.fill(sizes.events)
    await mutt(arena)  # it does not count: who runs first on fresh servers pays for their first steps
    rounds = []
    for number in range(sizes.rounds):
        rounds.append(await _round(arena, sizes, pythons))
        say(f"engines, round {number + 1} of {sizes.rounds}: {rounds[-1]}")
    return medians(rounds) | {"events": sizes.events, "rounds": sizes.rounds, "peers_absent": absent}


def _environments() -> tuple[dict[str, str], dict[str, str]]:
    """The interpreters of the peers that can be had, and why the others cannot."""
    pythons, absent = {}, {}
    for one in RIVALS:
        if one.peer:
            try:
                pythons[one.peer] = interpreter(one.peer)
            except NotInstalled as why:
                absent[one.peer] = str(why)
    return pythons, absent


async def _round(arena: Arena, sizes: Sizes, pythons: dict[str, str]) -> Round:
    """Everybody once, close together in time, so that the machine's moods hit all alike."""
    audited = await mutt(arena, look=copied_rows, **EVERY_EVENT)
    copy_rate = await raw_copy(arena, audited.seen)
    matched = await mutt(arena)
    bare = await unsafe(arena, audited.books)
    others = {}
    for one in RIVALS:
        if one.peer is None or one.peer in pythons:
            others[one.key] = await _rival(arena, sizes, one, audited, pythons)
    return {
        "audited_over_copy": audited.race.rate / copy_rate,
        "default_over_audited": matched.race.rate / audited.race.rate,
        "price_of_safety": audited.race.rate / bare.rate,
        "cpu_over_afternoon": audited.race.cpu_us / others["afternoon"].cpu_us,
        **_over(audited.race, others),
        **_absolute({"mutt": audited.race, "mutt_default": matched.race, "mutt_unsafe": bare} | others),
        "copy_rows_per_s": copy_rate,
        "first_commit_s": audited.race.first_s,
        **audited.start,
        **audited.costs,
        **{f"default_{name}": value for name, value in matched.costs.items()},
    }


async def _rival(arena: Arena, sizes: Sizes, one: Rival, beside: Run, pythons: dict[str, str]) -> Race:
    count = min(sizes.events, max(one.least, int(sizes.events * one.share)))
    python = pythons[one.peer] if one.peer else None
    race, decided = await rival(arena, one.module, *one.arguments, count=count, probe=one.probe, python=python)
    if sum(decided.values()) == beside.books.events:  # it saw all of them: then it must have decided as mutt did
        assert decided["alerted"] == beside.books.alerts, (one.key, decided, beside.books)
    return race


def _over(ours: Race, others: dict[str, Race]) -> dict[str, float]:
    """How many times as many events a second, of each and of the best peer."""
    ratios = {f"over_{key}": ours.rate / race.rate for key, race in others.items()}
    peers = [race.rate for key, race in others.items() if key in PEERS]
    return ratios | ({"over_peers": ours.rate / max(peers)} if peers else {})


def _absolute(races: dict[str, Race]) -> dict[str, float]:
    rates = {f"{key}_events_per_s": race.rate for key, race in races.items()}
    return rates | {f"{key}_cpu_us": race.cpu_us for key, race in races.items()}
