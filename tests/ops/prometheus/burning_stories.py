"""Error budgets that burn, fast and slowly, and end to burn."""

from __future__ import annotations

from tests.ops.prometheus.fleet import Story, answers, counter, ingest, of, posts

PAGE, TICKET = "page", "ticket"
BURNS = "MuttBudgetBurns"
IN_TIME = of("forward", "mutt_alerts_on_time_total", status="success", reason="")
LATE = of("forward", "mutt_alerts_on_time_total", status="fail", reason="late")

BURNING = (
    Story(
        name="the receiver breaks: a third of the posts fails",
        objectives=True,
        series={posts(): counter((60, 100), (40, 50)), posts("http"): counter((0, 100), (20, 50))},
        at=130,
        fires={(BURNS, PAGE): 2, (BURNS, TICKET): 2},
    ),
    Story(
        name="it is mended: the short window forgets at once",
        objectives=True,
        series={
            posts(): counter((60, 100), (40, 20), (60, 30)),
            posts("http"): counter((0, 100), (20, 20), (0, 30)),
        },
        at=130,
        fires={(BURNS, TICKET): 2},  # whose short windows are hours
    ),
    Story(
        name="alerts come late",
        objectives=True,
        series={IN_TIME: counter((60, 100), (0, 50)), LATE: counter((0, 100), (60, 50))},
        at=130,
        fires={(BURNS, PAGE): 2, (BURNS, TICKET): 2},
    ),
    Story(
        name="events are shed: more than a seventh",
        objectives=True,
        series={ingest(): counter((600, 100), (450, 50)), ingest("shed"): counter((0, 100), (150, 50))},
        at=140,
        fires={(BURNS, PAGE): 2, (BURNS, TICKET): 2},
    ),
    Story(
        name="the API is away for a while",
        objectives=True,
        series={
            answers(): counter((60, 100), (0, 10), (60, 40)),
            answers("unavailable"): counter((0, 100), (60, 10), (0, 40)),
        },
        at=110,
        fires={(BURNS, PAGE): 2, (BURNS, TICKET): 2},
    ),
    Story(
        name="a twentieth of the posts fails for hours: a ticket, no page",
        objectives=True,
        series={posts(): counter((570, 200)), posts("http"): counter((30, 200))},
        step=10,
        steps=200,
        at=1950,
        fires={(BURNS, TICKET): 2},
    ),
    Story(
        name="a fiftieth fails for days: the slowest rule sees it",
        objectives=True,
        series={posts(): counter((588, 500)), posts("http"): counter((12, 500))},
        step=10,
        steps=500,
        at=4950,
        fires={(BURNS, TICKET): 1},
    ),
    Story(
        name="half of the budget's pace is nobody's business",
        objectives=True,
        series={posts(): counter((597, 500)), posts("http"): counter((3, 500))},
        step=10,
        steps=500,
        at=4950,
    ),
)
