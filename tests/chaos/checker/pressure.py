"""What happens when too many alerts wait: detector shed, and cap over the backlog."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

from tests.chaos.checker.evidence import AuditRow, Findings, Letter, Partition, World
from tests.chaos.checker.rules import Book, Judged

WHY = re.compile(r"(\d+) alerts waited: severity (\d) to 7 is shed, this is (\d)")
AS_SYSLOG = {"critical": 2, "major": 3, "warning": 4, "minor": 5, "info": 7, "clear": 7}
LEAST_SEVERE = 7
COUNTED_S = 15.0
"""A worker decides by a count that is at most so old, and by what it decided since."""
COUNTING_S = 2.0
"""A count takes at most so long. What a worker commits while it counts may be in the count already, and is added to be
safe: so it may take more to wait than does, never fewer."""


class Why(NamedTuple):
    """What the letter of a shed event says."""

    depth: int
    cut: int
    severity: int


def why(letter: Letter) -> Why | None:
    said = WHY.match(letter.detail)
    return Why(*map(int, said.groups())) if said else None


def shed(part: Partition, world: World, out: Findings) -> None:
    """What is shed has an audit row and a letter that says why; notes when alerts waited, and what was shed."""
    rows = {row.offset for row in part.audit if row.disposition == "shed"}
    letters = {letter.offset: letter for letter in part.letters if letter.reason == "shed"}
    out.saw("shed", len(rows | letters.keys()))
    for offset in sorted(rows ^ letters.keys()):
        out.wrong("shed", part.at(offset), "not both an audit row and a letter", part.query("audit", offset))
    for offset, letter in letters.items():
        said = why(letter)
        if said is None:
            detail = f"its letter does not say why: {letter.detail[:100]}"
            out.wrong("shed", part.at(offset), detail, part.query("dead_letters", offset))
        else:
            world.sheds.append((letter.failed, said.depth, part.at(offset)))
    for alert in part.alerts:
        world.waited.append((alert.created, alert.settled, alert.id))


def wrongly_shed(row: AuditRow, letter: Letter | None, judged: Judged, book: Book) -> Iterator[str]:
    """Why an event must not have been shed by the rules and the configuration of its version."""
    floor, threshold = book.number("alerter_shed_severity_floor", 2), book.number("alerter_queue_shed_threshold", 2000)
    ruled = AS_SYSLOG[judged.severity]
    severity = ruled if row.severity is None else min(ruled, row.severity)
    if book.config.get("alerter_shed_mode", "dlq").strip() == "defer":
        yield "shed, though the mode is to defer"
    if severity <= floor:
        yield f"shed at severity {severity}, the floor is {floor}"
    said = why(letter) if letter is not None else None
    if said is None:
        return
    if said.severity != severity:
        yield f"its letter says severity {said.severity}, it has {severity}"
    cut = cut_at(said.depth, threshold, floor)
    if cut is None:
        yield f"shed while {said.depth} alerts waited, the threshold is {threshold}"
    elif severity < cut:
        yield f"severity {severity} shed while {said.depth} alerts waited: only {cut} to 7 may be"


def cut_at(depth: int, threshold: int, floor: int) -> int | None:
    """From which severity on events are shed: 7 at the threshold, falling in equal steps to just above the floor at
    twice that; None where none is."""
    last = floor + 1
    if depth < threshold or last > LEAST_SEVERE:
        return None
    return max(last, LEAST_SEVERE - (depth - threshold) * (LEAST_SEVERE - last) // threshold)


def check_backlog(world: World, most: float | None, out: Findings) -> None:
    """As many alerts waited as letters say; and never more than they may (`most`)."""
    created = sorted(begun for begun, _, _ in world.waited)
    settled = sorted(ended for _, ended, _ in world.waited if ended is not None)
    for at, depth, where in world.sheds:
        since = at - round(COUNTED_S * 1e6)
        known = bisect_right(created, since) - bisect_right(settled, since)
        possible = known + _created(created, since, at + round(COUNTED_S * 1e6))
        possible += _created(created, at - round(COUNTING_S * 1e6), at)
        if depth > possible:
            out.wrong("shed", where, f"its letter says {depth} alerts waited; at most {possible} did")
    if most is not None:
        out.saw("cap", len(created))
        _deepest(world, most, out)


def _created(created: list[int], after: int, until: int) -> int:
    return bisect_right(created, until) - bisect_right(created, after)


def _deepest(world: World, most: float, out: Findings) -> None:
    """Alerts that a replay made wait again are left out: their row tells only when they ended last."""
    again = {letter.alert_id for letter in world.others if letter.alert_id is not None}
    waited = [(begun, ended) for begun, ended, alert in world.waited if alert not in again]
    steps = sorted([(begun, 1) for begun, _ in waited] + [(ended, -1) for _, ended in waited if ended is not None])
    depth, deepest, when = 0, 0, 0
    for at, step in steps:
        depth += step
        if depth > deepest:
            deepest, when = depth, at
    if deepest > most:
        out.wrong("cap", f"backlog at {when} µs", f"{deepest} alerts waited, {most:.0f} may")
