"""All scenarios by name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tests.planted import delivery_scenarios, match_scenarios, operator_scenarios, pressure_scenarios
from tests.planted.world import World

Scenario = Callable[[World], Awaitable[None]]

SCENARIOS: dict[str, Scenario] = {
    each.__name__: each
    for each in (
        match_scenarios.bumpy,
        match_scenarios.cut_after_commit,
        match_scenarios.cut_in_commit,
        match_scenarios.cut_before_commit,
        match_scenarios.locked,
        match_scenarios.meddled,
        match_scenarios.two_owners,
        match_scenarios.replaced_log,
        match_scenarios.defect,
        match_scenarios.rules_changed,
        pressure_scenarios.shed,
        pressure_scenarios.pauses,
        pressure_scenarios.rebalance,
        delivery_scenarios.receiver_fails,
        delivery_scenarios.forwarder_killed,
        operator_scenarios.replayed_twice,
        operator_scenarios.key_changed,
        operator_scenarios.database_closed,
    )
}
