"""Judges a run: void, red or green, with every figure. Pure."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.chaos.hit import Hit
from tests.chaos.late import REFUSED
from tests.chaos.played import Played, quantile

EFFECTIVE = 0.95
UNKNOWN = 0.05
TAKEOVER_P99_S = 15.0
ACCEPTED_P99_S = 3.0
WATCHDOG = 70
"""The status of a worker that ended itself because it stood still; its supervisor starts it again."""
IN_FLIGHT = 32
"""`moog_max_in_flight`: alerts that one forwarder has on their way at most."""


def verdict(played: Played) -> dict[str, Any]:
    """`ok` is False for a run that is red or void: `void`, `problems`, `slow` and `anomalies` say why."""
    hits, report = played.hits, played.report
    effective = [hit for hit in hits if hit.effective]
    kills = [hit for hit in effective if hit.step.do == "kill"]
    takeovers = [hit.takeover_s for hit in kills if hit.takeover_s is not None]
    accepted = [hit.accepted_s for hit in hits if hit.accepted_s is not None]
    unknown = played.answers.get("unknown", 0) / max(1, played.sent)
    allowed = sum(_cuts_posts(hit.step.do, hit.step.target) for hit in hits) * IN_FLIGHT
    problems = [f"{hit.step.name}: {hit.problem}" for hit in hits if hit.problem] + played.problems
    problems += [line for line in played.ended if f"status {WATCHDOG}:" not in line]
    slow = _beyond("take-over p99", quantile(takeovers, 0.99), TAKEOVER_P99_S)
    slow += _beyond("PostgreSQL accepts to first commit p99", quantile(accepted, 0.99), ACCEPTED_P99_S)
    problems += _beyond("repeats at the receiver", played.repeats, allowed)
    void = []
    if hits and len(effective) < EFFECTIVE * len(hits):
        void.append(f"{len(effective)} of {len(hits)} faults met work in flight")
    duels = [hit for hit in hits if hit.step.do == "duel"]
    if duels and not any(hit.effective for hit in duels):
        void.append(f"in {len(duels)} duels no batch came after another had done its work")
    if unknown > UNKNOWN:
        void.append(f"{unknown:.1%} of the records have no answer")
    found = dict(report.found) if report else {}
    red = problems or slow or found or report is None
    return {
        "ok": not red and not void,
        "outcome": "red" if red else "void" if void else "green",
        "void": void,
        "problems": problems,
        "slow": slow,
        "anomalies": found,
        "examples": [anomaly._asdict() for anomaly in report.anomalies[:20]] if report else [],
        "kills": len(kills),
        "faults": dict(Counter(hit.step.do for hit in effective)),
        "late_batches": _late(duels),
        "ineffective": [hit.step.name for hit in hits if not hit.effective],
        "not_run": played.not_run,
        "events": played.sent,
        "answers": played.answers,
        "takeover_s": {"p50": quantile(takeovers, 0.5), "p99": quantile(takeovers, 0.99), "n": len(takeovers)},
        "accepted_s": {"p99": quantile(accepted, 0.99), "n": len(accepted)},
        "repeats": {"seen": played.repeats, "allowed": allowed},
        "most": played.most,
        "ended_by_themselves": played.ended,
        "counts": dict(sorted(report.counts.items())) if report else {},
        "seconds": played.seconds,
        "hits": [hit.as_json() for hit in hits],
    }


def _late(duels: list[Hit]) -> dict[str, int]:
    """Batches that came when another had done their work: how many the compare-and-set refused, how many it did not."""
    came, refused = (sum(hit.found.get(name, 0) for hit in duels) for name in ("came", REFUSED))
    return {"came": came, "refused": refused, "not_refused": came - refused}


def _cuts_posts(do: str, target: str) -> bool:
    """Whether a fault may leave posts without an answer, or answers unrecorded."""
    wire = ("cut", "reset", "half_close", "black_hole", "refuse", "trickle", "delay", "flip")
    if do == "commit_cut":
        return True
    if do in ("kill", "term", "freeze"):
        return target in ("forward-1", "receiver", "postgres", "kafka")
    return do in wire and target in ("receiver", "postgres", "kafka")


def _beyond(name: str, value: float, most: float) -> list[str]:
    return [f"{name} is {value:g}, more than {most:g}"] if value > most else []
