"""The demonstration's thresholds are ones that mutt accepts and that its outage crosses."""

from __future__ import annotations

import pytest

from ops.demo.pressure import FLOOR, ROOMY, thresholds
from schemas.config import DynamicConfig
from schemas.config_values import snapshot
from streams.core.backpressure import PressurePolicy, severity_cut


@pytest.mark.parametrize("alerts", [0, 0.4, 3, 7, 18, 150, 3000, 500_000])
def test_any_traffic_gives_thresholds_that_may_be_set(alerts: float) -> None:
    low = thresholds(alerts)
    config = snapshot({key: value or "" for key, value in low.as_config.items()})
    assert config.alerter_queue_warn_threshold == low.warn < low.shed < low.hard


@pytest.mark.parametrize("alerts", [18, 150, 3000])
def test_half_way_through_the_outage_all_but_the_floor_is_shed(alerts: int) -> None:
    low = thresholds(alerts)
    policy = PressurePolicy(warn=low.warn, shed=low.shed, hard=low.hard, defers=False, floor=FLOOR)
    assert severity_cut(alerts // 2, policy) == FLOOR + 1
    assert alerts < low.hard


def test_the_roomy_ones_are_above_the_defaults() -> None:
    assert ROOMY.warn > DynamicConfig().alerter_queue_hard_limit
