"""How much of each error budget is left, and how fast does it burn? Made of schemas/objectives.yaml."""

from __future__ import annotations

import datetime as dt

from ops.grafana.panels import Board, Panel, Query, Row, Unit, lines, number
from schemas.slo import Objective, objectives
from streams.core.slo import BURN_RULES, PACE, shown_duration

_PAGES = BURN_RULES[0]


def _ratio(objective: Objective, window: dt.timedelta) -> str:
    good, total = objective.queries(window)
    return f"({good}) / ({total})"


def _burn(objective: Objective, window: dt.timedelta) -> str:
    return f"(1 - {_ratio(objective, window)}) / {1 - objective.target:.6g}"


def _row(objective: Objective) -> Row:
    window = shown_duration(objective.window)
    panels: tuple[Panel, ...] = (
        number(
            f"{objective.title}, {window}", Unit.RATIO, Query(_ratio(objective, objective.window), ""),
            red_below=objective.target, about=objective.description,
        ),
        number(
            f"{objective.title}: budget left", Unit.RATIO, Query(f"1 - {_burn(objective, objective.window)}", ""),
            red_below=0.25, about=f"Of what may fail in {window}.",
        ),
        number(
            f"{objective.title}: burning now", Unit.TIMES, Query(_burn(objective, PACE), ""), red_from=_PAGES.above,
            about=f"Over {shown_duration(PACE)}. At 1 the budget lasts exactly {window}.",
        ),
        lines(
            f"{objective.title}: burn rates", Unit.TIMES,
            *(Query(_burn(objective, rule.long), shown_duration(rule.long)) for rule in BURN_RULES),
            width=12,
            about="; ".join(
                f"{shown_duration(rule.long)} and {shown_duration(rule.short)} above {rule.above:g}: {rule.severity}"
                for rule in BURN_RULES
            ),
        ),
    )  # fmt: skip
    return Row(f"{objective.title}: {objective.target * 100:g} %", panels)


BOARD = Board(
    uid="mutt-slo",
    title="mutt: SLO & error budget",
    question="How much of each error budget is left, and how fast does it burn? No traffic is no data.",
    rows=tuple(_row(objective) for objective in objectives().values()),
    by_component=False,
)
