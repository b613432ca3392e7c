"""What a run of retention would do now, from what the database holds: the same list that the run works off."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from streams.adapters.expired_rows import ROWS, count, count_held
from streams.adapters.legal_holds import active_holds
from streams.adapters.migrations import MONTHS_AHEAD
from streams.adapters.retention_store import RetentionStore, StoredArchive
from streams.core.retention import Action, Kind, Part, Policies, expired, held_by, months_due, part_name, taking_out

CUT_SHORT = "left by a run that was cut short"
NOT_ENFORCED = "retention_enforcement_enabled is false"


@dataclass(frozen=True, slots=True)
class Plan:
    """Actions in their order; what cannot be done; and what somebody should look at."""

    actions: list[Action] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """How many rows it archives."""
        return sum(action.rows or 0 for action in self.actions if action.do in ("archive", "delete"))


async def make_plan(store: RetentionStore, rules: Policies, now: dt.datetime) -> Plan:
    """Raises asyncpg's errors."""
    plan = Plan()
    parts = await store.parts()
    await _ahead(store, parts, now, plan)
    left = await store.archives("writing", "verified", "detached")
    plan.actions.extend(Action("discard", each.name, why=CUT_SHORT) for each in left if each.state == "writing")
    done = {each.name: each.state for each in left if each.state != "writing"}
    detached = [part for each in left if (part := _detached(each)) is not None]
    for part in [*detached, *expired(parts, rules.cutoff(Kind.AUDIT, now))]:
        plan.actions.extend(await _part(store, rules, part, done.get(part.name)))
    plan.actions.extend([action async for action in _rows(store, rules, now)])
    plan.actions.extend(await _archives(store, rules, now))
    return plan


def _detached(archive: StoredArchive) -> Part | None:
    """The partition of an archive, where it is a table of its own by now."""
    if archive.state != "detached" or archive.part is None or archive.low is None or archive.high is None:
        return None
    return Part(archive.part, archive.low, archive.high)


async def _ahead(store: RetentionStore, parts: list[Part], now: dt.datetime, plan: Plan) -> None:
    strays = await store.strays()
    for month in months_due(parts, now, MONTHS_AHEAD):
        if month in strays:
            plan.problems.append(f"{part_name(month)} cannot be made: audit_default holds rows of that month")
        else:
            plan.actions.append(Action("create", part_name(month)))
    plan.warnings.extend(
        f"audit_default holds {rows} rows of {month:%Y-%m}: there was no partition for their time, and they stay"
        for month, rows in strays.items()
    )


async def _part(store: RetentionStore, rules: Policies, part: Part, done: str | None) -> list[Action]:
    if holds := await store.holds_on(part):
        return [Action("keep", part.name, why=held_by(holds))]
    if not rules.enforced:
        return [Action("keep", part.name, why=NOT_ENFORCED)]
    return taking_out(part.name, None if done else await store.count(part.name), done)


async def _rows(store: RetentionStore, rules: Policies, now: dt.datetime) -> AsyncIterator[Action]:
    for rows in ROWS:
        cutoff = rules.cutoff(rows.kind, now)
        if held := await count_held(store.pool, rows, cutoff):
            yield Action("keep", rows.kind, held, "legal hold")
        found = await count(store.pool, rows, cutoff)
        if found and not rules.enforced:
            yield Action("keep", rows.kind, found, NOT_ENFORCED)
        elif found:
            yield Action("delete", rows.kind, found)


async def _archives(store: RetentionStore, rules: Policies, now: dt.datetime) -> list[Action]:
    """Archives past their time. Which hosts they hold is not looked up: any hold on their table and time keeps them."""
    cutoff, holds = rules.archive_cutoff(now), await active_holds(store.pool)
    actions = []
    for archive in await store.archives("removed"):
        if archive.low is None or archive.high is None or archive.high > cutoff:
            continue
        kept = [hold for hold in holds if hold.touches(archive.kind, archive.low, archive.high)]
        why = held_by(kept) if kept else None if rules.enforced else NOT_ENFORCED
        actions.append(Action("keep" if why else "forget", archive.name, archive.rows, why))
    return actions
